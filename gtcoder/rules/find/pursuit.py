"""A column as a weighted sum of few others, but for a small residual in most rows.

Shapes: B rows, C columns, T terms.
"""

import numpy as np

MOST_TERMS = 5
_POOL = 8
"""Columns that are tried together before the dispensable ones are dropped."""
_HARDLY = 0.1
"""A term is dropped where that costs fewer bits."""
_TRIM = 4.0
"""Rows that are off by more than so many deviations are not fitted."""
_TRIMMINGS = 3
_RIDGE = 1e-12


def pursued(
    y: np.ndarray, columns: np.ndarray, *, grain: float, least_bits: float
) -> tuple[list[int], np.ndarray]:
    """Few columns of (B, C) whose weighted sum is nearly y (B,), and their weights, (T,).

    One after the other is added, each the most like what is left (orthogonal matching pursuit),
    and then those are dropped again that are missed least, while they are hardly missed.

    Args:
        y: float64.
        columns: float64.
        grain: what is told apart of y.
        least_bits: what the sum has to save; none is found where all together save less.
    """

    def cost(left: np.ndarray) -> float:
        return float(np.log2(_width(left) + grain))

    chosen: list[int] = []
    left = y - np.median(y)
    centred = columns - np.median(columns, 0)
    while len(chosen) < min(_POOL, columns.shape[1]):
        kept = _nearest(left)
        parts = centred[kept]
        parts = parts - parts.mean(0)
        alike = np.abs(left[kept] @ parts) / np.sqrt((parts**2).sum(0) + 1e-300)
        alike[chosen] = 0
        chosen.append(int(alike.argmax()))
        weights, left = _regressed(y, columns[:, chosen])
    if cost(left) > cost(y) - least_bits:
        return [], np.zeros(0)
    while chosen:
        tries = []
        for at in range(len(chosen)):
            fewer = chosen[:at] + chosen[at + 1 :]
            tries.append((fewer, *_regressed(y, columns[:, fewer])))
        fewer, lighter, more = min(tries, key=lambda each: cost(each[2]))
        if cost(more) > cost(left) + _HARDLY and len(chosen) <= MOST_TERMS:
            break
        chosen, weights, left = fewer, lighter, more
    return chosen, weights


def _regressed(y: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares without the rows that are far off: weights (T,), and what is left (B,)."""
    middle, spread = columns.mean(0), columns.std(0) + 1e-300
    matrix = np.column_stack([(columns - middle) / spread, np.ones(len(y))])
    kept = np.ones(len(y), bool)
    for _ in range(_TRIMMINGS):
        part = matrix[kept]
        gram = part.T @ part + _RIDGE * len(part) * np.eye(part.shape[1])
        solved = np.linalg.solve(gram, part.T @ y[kept])
        left = y - matrix @ solved
        kept = _nearest(left)
    return solved[:-1] / spread, left


def _nearest(left: np.ndarray) -> np.ndarray:
    """Which rows are not far off, bool (B,)."""
    off = np.abs(left - np.median(left))
    deviation = 1.4826 * np.median(off)
    return np.asarray(off <= max(_TRIM * deviation, np.quantile(off, 0.75)))


def _width(values: np.ndarray) -> float:
    return float(np.subtract(*np.quantile(values, [0.9, 0.1])))
