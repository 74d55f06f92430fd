"""What a picture of one column needs: shares of bins or categories, real beside synthetic."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.evaluation.frame import MISSING, Frame

BINS = 24
MOST_BARS = 12
"""Categories that are shown; the others are one bar."""
OTHERS = "(others)"


def profile(real: Frame, other: Frame, name: str, kind: pa.DataType) -> dict[str, Any]:
    """The shares as plain JSON values: `labels` or `edges`, and `real` and `synthetic`."""
    if name in real.roles.continuous:
        return _numbers(real.column(name), other.column(name), kind)
    return _categories(real, other, name)


def _numbers(real: np.ndarray, other: np.ndarray, kind: pa.DataType) -> dict[str, Any]:
    """Bins of equal width over the real table's central 99 %; the first and last hold the rest."""
    known, found = real[~np.isnan(real)], other[~np.isnan(other)]
    if not len(known):
        return {"edges": [], "real": [], "synthetic": []}
    distinct = np.unique(known)
    if len(distinct) <= BINS:
        edges = np.append(distinct, distinct[-1])
        middle = (distinct[1:] + distinct[:-1]) / 2
    else:
        low, high = np.quantile(known, [0.005, 0.995])
        low, high = (low, high) if high > low else (known.min(), known.max())
        edges = np.linspace(low, high, BINS + 1)
        middle = edges[1:-1]
    size = len(middle) + 1
    shares = [
        np.bincount(np.searchsorted(middle, side, "right"), minlength=size) / max(len(side), 1)
        for side in (known, found)
    ]
    return {
        "edges": edges.tolist(),
        "unit": "since the first real one" if pt.is_temporal(kind) else "",
        "real": shares[0].tolist(),
        "synthetic": shares[1].tolist(),
    }


def _categories(real: Frame, other: Frame, name: str) -> dict[str, Any]:
    names = real.levels[name].names
    counts = [np.bincount(f.column(name), minlength=len(names)) for f in (real, other)]
    shares = [count / count.sum() for count in counts]
    order = np.argsort(-counts[0], kind="stable")
    shown, rest = order[:MOST_BARS], order[MOST_BARS:]
    ending = [OTHERS] if len(rest) else []
    sides = [[*s[shown].tolist(), *([float(s[rest].sum())] if len(rest) else [])] for s in shares]
    labels = [MISSING if names[at] is None else str(names[at]) for at in shown]
    return {"labels": [*labels, *ending], "real": sides[0], "synthetic": sides[1]}
