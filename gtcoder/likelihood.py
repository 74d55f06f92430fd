"""How well a model knows rows, row by row, and whether it knows new ones as well as its own.

What columns say of one another shows here, though each of them alone is as it was.

Shapes: B rows, K fields, Z latent.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch

from gtcoder.codec.drift import ONE_IN
from gtcoder.codec.layout import Encoded, some, take
from gtcoder.model.fusion import reparameterise
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.prior import gaussian_log_prob
from gtcoder.seeds import Purpose, generator, torch_generator
from gtcoder.training.rows.batch import to_device
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.validation import chunk_rows

ROWS = 10_000
"""So many rows are looked at, at most."""
_PERCENTS = np.arange(1, 100)


@torch.inference_mode()
def negative_elbo(model: GTCoder, rows: Encoded) -> np.ndarray:
    """−log p(row | z) + log q(z | row) − log p(z) at one draw of z, nats, float32 (B,)."""
    device = model.mixture.means.device
    found = [np.zeros(0, np.float32)]
    chunk = chunk_rows(model)
    for start in range(0, len(rows), chunk):
        codes, scalars = to_device(take(rows, slice(start, start + chunk)), device)
        rng = torch_generator(0, Purpose.VALIDATION, start)
        noise = torch.randn(len(codes), model.config.latent, generator=rng).to(device)
        mu, logvar, _ = model.encode(codes, scalars)
        z = reparameterise(mu, logvar, noise)  # (B, Z)
        rate = gaussian_log_prob(z, mu, logvar) - model.mixture.log_prob(z)
        found.append((model.decoder.reconstruction(z, codes, scalars) + rate).cpu().numpy())
    return np.concatenate(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class RowDrift:
    """How much less, or more, likely new rows are than those that were held out."""

    distance: float
    """Largest distance of the two distributions of −ELBO (Kolmogorov–Smirnov), in [0, 1]. Whatever
    it is, at least as large a share of rows would have to be others."""
    chance: float
    """So much of that may be chance."""
    nats: float
    """By so much the middle new row is less likely than the middle one held out."""

    @property
    def drift(self) -> float:
        """The distance that is no chance, in [0, 1]."""
        return max(self.distance - self.chance, 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Familiarity:
    """How well a model knows the rows that were held out of its training."""

    rows: int
    percentiles: tuple[float, ...]
    """The 1st to the 99th of their −ELBO, in nats: no extreme, which would be of one row."""

    @classmethod
    def of(cls, model: GTCoder, rows: EncodedRows) -> Self:
        """Of the held-out rows, or where there are too few to tell, of none."""
        held = some(rows.validation, ROWS, generator(0, Purpose.SAMPLE))
        if len(held) < len(_PERCENTS):
            return cls(rows=0, percentiles=())
        found = np.percentile(negative_elbo(model, held), _PERCENTS)
        return cls(rows=len(held), percentiles=tuple(found.round(4).tolist()))

    def drift(self, scores: np.ndarray) -> RowDrift | None:
        """How new rows differ, by their −ELBO (B,); None where nothing is known of the old.

        D = max_p |F(q_p) − p / 100| with F the share of new rows below the p-th percentile q_p. By
        the inequality of Dvoretzky, Kiefer and Wolfowitz chance explains sqrt(s · log(2 ·
        `ONE_IN`) / 2), s = 1/n + 1/m, and a percent is lost between the percentiles.
        """
        if not self.rows or not len(scores):
            return None
        below = np.searchsorted(np.sort(scores), self.percentiles, side="right") / len(scores)
        spread = 1 / self.rows + 1 / len(scores)
        return RowDrift(
            distance=float(np.abs(below - _PERCENTS / 100).max()),
            chance=math.sqrt(spread * math.log(2 * ONE_IN) / 2) + 0.01,
            nats=float(np.median(scores) - self.percentiles[49]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; of what a bundle without it has, of no rows."""
        percentiles = tuple(plain.get("percentiles", ()))
        return cls(rows=int(plain.get("rows", 0)), percentiles=percentiles)
