"""What a run goes on from: weights that know other rows, which should not be forgotten.

The new rows alone are trained on, and at the end the weights are a mean of those before and after,
as it is the earlier and the new rows that they are of (Wortsman et al., Model soups, ICML 2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded, concat, take
from gtcoder.model.gtcoder import GTCoder
from gtcoder.training.em import ROWS_AT_THE_END
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.rows.parts import Part


@dataclass(frozen=True, kw_only=True)
class Start:
    """Weights to begin with, and rows of their kind."""

    weights: Mapping[str, Tensor]
    """Of the same network, without its mixture."""
    share: float
    """Of the rows that are known in the end, those the weights know already."""
    rows: Encoded
    """Drawn from them: what the mixture is fitted to in the end, beside the new rows."""

    @torch.no_grad()
    def average(self, model: GTCoder) -> None:
        """w = share · w_before + (1 − share) · w_after."""
        for name, after in model.state_dict().items():
            if name in self.weights:
                after.lerp_(self.weights[name].to(after.device), self.share)

    def beside(self, rows: EncodedRows, seed: int) -> EncodedRows:
        """A sample of the new rows with those drawn, in their true proportion."""
        known = len(self.rows) / max(self.share, 1e-9)
        total = min(ROWS_AT_THE_END, rows.rows / max(1 - self.share, 1e-9), known)
        new = rows.shard(rank=0, world=1, most=max(1, round((1 - self.share) * total)), seed=seed)
        both = concat([new, take(self.rows, slice(round(self.share * total)))])
        return EncodedRows([Part(len(both), lambda: both)], rows.validation, both)
