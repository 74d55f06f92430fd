"""What a picture of one column needs: shares of bins or categories, real beside synthetic."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.evaluation.frame import MISSING, Frame

BINS = 24
MOST_BARS = 12
"""Categories that are shown; the others are one bar."""
OTHERS = "(others)"
DATE, TIME = "date", "time of day"
"""Units of points in time, which are written as ISO 8601 has them."""
_SPANS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def profile(real: Frame, other: Frame, name: str, kind: pa.DataType) -> dict[str, Any]:
    """The shares as plain JSON values: `real` and `synthetic`, and what each is the share of.

    That is `labels` of categories, `values` of a number that has few, or else `edges` of bins, one
    more than there are shares; beside the last two `unit`, empty for plain numbers.
    """
    if name not in real.roles.continuous:
        return _categories(real, other, name)
    found = _numbers(real.column(name), other.column(name))
    return found | _in_units(found, real.starts.get(name, 0.0), kind)


def _numbers(real: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Bins of equal width over the real table's central 99 %; the first and last hold the rest."""
    known, found = real[~np.isnan(real)], other[~np.isnan(other)]
    if not len(known):
        return {"edges": [], "real": [], "synthetic": []}
    distinct = np.unique(known)
    if len(distinct) <= BINS:
        key, at = "values", distinct
        middle = (distinct[1:] + distinct[:-1]) / 2
    else:
        low, high = np.quantile(known, [0.005, 0.995])
        low, high = (low, high) if high > low else (known.min(), known.max())
        key, at = "edges", np.linspace(low, high, BINS + 1)
        middle = at[1:-1]
    size = len(middle) + 1
    shares = [
        np.bincount(np.searchsorted(middle, side, "right"), minlength=size) / max(len(side), 1)
        for side in (known, found)
    ]
    return {key: at.tolist(), "real": shares[0].tolist(), "synthetic": shares[1].tolist()}


def _in_units(found: Mapping[str, Any], start: float, kind: pa.DataType) -> dict[str, Any]:
    """The values or edges as they are read, and their unit."""
    key = "values" if "values" in found else "edges"
    if not pt.is_temporal(kind) or not found[key]:
        return {"unit": ""}
    counted = {pa.date32(): "D", pa.date64(): "ms"}.get(kind) or kind.unit
    ticks = np.rint(np.array(found[key]) + start).astype(np.int64)
    if pt.is_duration(kind):
        seconds = ticks.astype(f"timedelta64[{counted}]") / np.timedelta64(1, "s")
        longest = float(np.abs(seconds).max())
        unit = next((unit for unit, size in _SPANS.items() if longest >= 2 * size), "seconds")
        return {key: (seconds / _SPANS[unit]).tolist(), "unit": unit}
    texts = np.datetime_as_string(ticks.astype(f"M8[{counted}]")).tolist()
    if pt.is_time(kind):
        return {key: [text.partition("T")[2] for text in texts], "unit": TIME}
    return {key: texts, "unit": DATE}


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
