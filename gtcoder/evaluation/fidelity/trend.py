"""Pair errors: how far the dependence of each two columns is from the real one.

SDMetrics' Column Pair Trends as published, as an error, with both tables cut at the real one's
bins: half the difference of Pearson's correlations of two numbers, else the total variation
distance of the joint table. Shapes: B rows, K columns.
"""

from itertools import combinations

import numpy as np

from gtcoder.evaluation.fidelity.shape import total_variation
from gtcoder.evaluation.frame import Frame


def trend_errors(real: Frame, other: Frame) -> np.ndarray:
    """The error of each two columns, symmetric (K, K) in the roles' order.

    NaN on the diagonal and where a correlation of the real table does not exist; where only the
    other's does not, it counts as 0.
    """
    columns, numeric = real.roles.columns, len(real.roles.continuous)
    codes = [np.stack(_binned(real, frame), 1) for frame in (real, other)]  # (B, K)
    errors = np.full((len(columns), len(columns)), np.nan)
    for a, b in combinations(range(len(columns)), 2):
        if b < numeric:
            pair = (real.numbers[:, [a, b]], other.numbers[:, [a, b]])
            error = correlation_error(*pair)
        else:
            width = int(max(side[:, b].max() for side in codes)) + 1
            error = total_variation(*(side[:, a] * width + side[:, b] for side in codes))
        errors[a, b] = errors[b, a] = error
    return errors


def correlation_error(real: np.ndarray, other: np.ndarray) -> float:
    """Half the difference of two correlations, each of the rows (B, 2) that have both numbers."""
    truth = _correlation(real)
    found = _correlation(other)
    return abs(truth - (0.0 if np.isnan(found) else found)) / 2


def _correlation(pair: np.ndarray) -> float:
    present = pair[~np.isnan(pair).any(1)]
    if len(present) < 2 or (present == present[0]).all(0).any():
        return float("nan")
    centred = present - present.mean(0)
    spread = np.sqrt((centred**2).sum(0))
    return float((centred[:, 0] / spread[0]) @ (centred[:, 1] / spread[1])) if all(spread) else 0.0


def _binned(real: Frame, frame: Frame) -> list[np.ndarray]:
    """Each column's codes, int64 (B,): ten bins of equal width, beyond them, and missing."""
    codes = []
    for name in real.roles.continuous:
        known = real.column(name)[~np.isnan(real.column(name))]
        edges = np.histogram_bin_edges(known) if len(known) else np.zeros(1)
        values = frame.column(name)
        codes.append(np.where(np.isnan(values), len(edges) + 1, np.digitize(values, edges)))
    return codes + [frame.column(name).astype(np.int64) for name in real.roles.discrete]
