"""α-precision and β-recall: are synthetic rows where real rows are, and the other way round?

Alaa et al., How Faithful is your Synthetic Data? (ICML 2022), in the naive form without an
embedding. Precision is best at 1. Recall asks that a real row's nearest synthetic row be no further
than its nearest real one: rows drawn from the same distribution reach about 0.5, copies 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gtcoder.evaluation.distance import Points, dense, nearest
from gtcoder.evaluation.frame import Frame

_STEPS = 30


@dataclass(frozen=True, slots=True)
class Manifold:
    """Both measures, in [0, 1]."""

    alpha_precision: float
    beta_recall: float


def compare_manifolds(
    real: Frame, others: Sequence[Frame], *, rows: int, rng: np.random.Generator
) -> list[Manifold]:
    """Compare equally many rows of each other table and of the real one, at most `rows`."""
    rows = min(rows, len(real), *map(len, others))
    real_rows = real.sample(rows, rng)
    real_at = Points.of(real, real_rows)
    gap = nearest(real_at, real_at, squared=True, itself=True).distance
    return [_compare(real, real_rows, real_at, gap, other.sample(rows, rng)) for other in others]


def _compare(
    real: Frame, real_rows: Frame, real_at: Points, gap: np.ndarray, other_rows: Frame
) -> Manifold:
    """Compare tables of the same size; `gap` is each real row's distance from its next, (B,)."""
    reach = nearest(real_at, Points.of(real, other_rows), squared=True)
    real_x, other_x = dense(real, real_rows), dense(real, other_rows)
    alphas = np.linspace(0, 1, _STEPS)
    radii = np.quantile(_from(real_x, real_x), alphas)
    within = _from(other_x, real_x)
    precision = [(within <= radius).mean() for radius in radii]
    centre = _from(other_x, other_x)[reach.place]
    near = reach.distance <= gap
    recall = [(near & (centre <= radius)).mean() for radius in np.quantile(centre, alphas)]
    return Manifold(_agreement(alphas, precision), _agreement(alphas, recall))


def _from(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each row from the centre of others."""
    apart: np.ndarray = np.linalg.norm(rows - others.mean(0, dtype=np.float64), axis=1)
    return apart


def _agreement(alphas: np.ndarray, curve: list[float]) -> float:
    """1 minus the relative area between a curve and the diagonal."""
    return float(1 - np.abs(alphas - np.array(curve)).sum() / alphas.sum())
