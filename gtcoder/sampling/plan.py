"""What a set of conditions asks of drawing: where rows begin, and within which spans numbers lie.

A plan is made once for a model and its conditions; rows under different plans are drawn together.

A model's p(rest | given), q, is learned for every part of a row that may be given, and less well
than p(row), p, whose conditional it should be. So a row under conditions is one of n tries from the
same option, kept with a chance in proportion to

    w = p(row) / q(rest | given),

which is p(rest | given) / q(rest | given) up to a constant of the option. What is left of the error
falls with n². How many tries it takes is measured: the least power of two with Var(log w) / n² at
most `LEFT`, and `MOST_TRIES` at most.

Where a condition is on what rules derive, rows that do not meet it are drawn anew, so that rows
follow the model's distribution given the condition.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Layout
from gtcoder.sampling.folded import TILE_ROWS, Folded
from gtcoder.sampling.options import Options
from gtcoder.seeds import Purpose, generator
from gtcoder.where.conditions import Conditions

FEW = 1_000
"""Candidates that count, of which fewer are told."""
LEFT = 0.02
"""Variance of log w, over the tries' square, that nobody sees in rows."""
MOST_TRIES = 4
PROBED = 1_024
"""Rows that tell how many tries it takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How rows under certain conditions, or under none, are drawn."""

    options: Options | None
    """What rows begin with; None of those that begin with z alone."""
    spans: Mapping[int, tuple[Tensor, Tensor]]
    """Of each constrained field, the least and the greatest scalar of each code."""
    asked: Conditions
    """The conditions, whose checks whole rows have to meet."""
    tries: int = 1
    """Rows that are drawn for one that is kept."""

    @classmethod
    def of(cls, folded: Folded, layout: Layout, asked: Conditions) -> "Plan":
        """The plan of a model's rows that meet conditions."""
        device, fields = folded.device, asked.fields
        options = Options.of(folded, layout, asked) if fields else None
        return cls(
            options=options,
            spans={
                field: (
                    torch.from_numpy(np.asarray(c.low)).to(device),
                    torch.from_numpy(np.asarray(c.high)).to(device),
                )
                for field, c in fields.items()
            },
            asked=asked,
            tries=_tries(folded, options) if options is not None and folded.conditional else 1,
        )

    @property
    def warning(self) -> str:
        """One line where the conditions are met badly, else nothing."""
        if self.options is None or not self.options.candidates:
            return ""
        if self.options.effective >= FEW:
            return ""
        return (
            "the conditions are seldom met together: what they bind was drawn from "
            f"{self.options.candidates:,} candidates that count for {self.options.effective:,.0f}; "
            "expect too few different combinations, or widen a condition"
        )


@torch.inference_mode()
def _tries(folded: Folded, options: Options) -> int:
    """How many tries rows with these options take."""
    rng, steps = generator(1, Purpose.CONDITIONS), len(folded.sizes)
    found = []
    for _ in range(PROBED * MOST_TRIES // TILE_ROWS):
        options_at = torch.from_numpy(rng.random(TILE_ROWS // MOST_TRIES)).to(folded.device)
        rows = options.take(options_at.repeat_interleave(MOST_TRIES))
        rows.plain = folded.plain.expand_as(rows.state)
        uniforms = torch.from_numpy(rng.random((TILE_ROWS, steps))).to(folded.device)
        found.append(folded.advance(rows, uniforms).view(-1, MOST_TRIES).var(1))
    variance, tries = float(torch.cat(found).mean().cpu()), 1
    while tries < MOST_TRIES and variance > LEFT * tries**2:
        tries *= 2
    return tries
