"""Where the axis of a column's picture is marked: at round numbers, and at dates and times."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from gtcoder.evaluation.report.profile import DATE, TIME

MOST_MARKS = 5
_LETTERS = 48
"""So many fit below a picture, side by side."""
_STEPS = (
    ("Y", (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)),
    ("M", (6, 3, 1)),
    ("D", (14, 7, 2, 1)),
    ("h", (12, 6, 3, 1)),
    ("m", (30, 15, 5, 1)),
    ("s", (30, 15, 5, 1)),
)
"""Units of numpy's datetime64, and how many of them may lie between two marks."""

Mark = tuple[float, str]
"""Where it is, as a share of the width, and what it says."""


def marks(profile: Mapping[str, Any]) -> list[Mark]:
    """The marks below the picture of a number or of points in time, from left to right."""
    unit, at = profile["unit"], profile.get("values") or profile["edges"]
    if unit in (DATE, TIME):
        at = [np.datetime64(f"1970-01-01T{each}" if unit == TIME else each) for each in at]
    if "values" in profile:
        texts = [_text(each, unit) for each in at]
        return _fitting([((bar + 0.5) / len(at), text) for bar, text in enumerate(texts)])
    low, high = at[0], at[-1]
    between = _moments(low, high) if unit in (DATE, TIME) else _round_numbers(low, high)
    return _fitting([((each - low) / (high - low), _text(each, unit)) for each in between])


def _round_numbers(low: float, high: float) -> list[float]:
    """Numbers 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / MOST_MARKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next((power * size for size in (1, 2, 5) if power * size >= rough), 10 * power)
    found: list[float] = (np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step).tolist()
    return found


def _moments(low: Any, high: Any) -> list[Any]:
    """The starts of years, months, days or shorter times, as many as there may be."""
    best = [low, high]
    for unit, steps in _STEPS:
        for step in steps:
            found = _starts(low, high, unit, step)
            if len(found) > MOST_MARKS:
                return best
            best = found if len(found) > 1 else best
    return best


def _starts(low: Any, high: Any, unit: str, step: int) -> list[Any]:
    """Every so many starts of a unit between two moments; one more than may be, if there are."""
    first, last = (int(each.astype(f"M8[{unit}]").astype(np.int64)) for each in (low, high))
    since = 1970 if unit == "Y" else 0  # years are counted from there, but told by their number
    first += low.astype(f"M8[{unit}]") < low
    first = -(-(first + since) // step) * step - since
    found = np.arange(first, min(last, first + MOST_MARKS * step) + 1, step)
    return list(found.astype(f"M8[{unit}]"))


def _fitting(found: list[Mark]) -> list[Mark]:
    """As many marks as find room beside one another."""
    longest = max((len(text) for _, text in found), default=0)
    room = max(_LETTERS // (longest + 2), 2)
    return found[:: -(-len(found) // room)] if found else []


def _text(value: Any, unit: str) -> str:
    if isinstance(value, np.datetime64):
        day, _, time = str(value).partition("T")
        time = re.sub(r"(:00)?([.]0*)?$", "", time) if time.count(":") == 2 else time
        if unit == TIME:
            return f"{time}:00" if len(time) == 2 else time
        return day if time in ("", "00", "00:00") else f"{day} {time}"
    text = f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"
    return f"{text} {unit}".strip()
