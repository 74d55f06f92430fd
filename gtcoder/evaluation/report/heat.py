"""The heat map of pair errors: steps of colour that mean the same in every report.

Only one half is drawn, like a road atlas's table of distances: a cell's columns are named at the
end of its row and at the top of its column, which is the same place of the diagonal.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

from gtcoder.evaluation.report.markup import Markup, element, short

STEPS = (1, 2, 5, 10, 20)
"""Pair errors in % from which on a cell has the next colour."""
LARGEST_MAP = 40
"""Columns that are shown; of more, those with the largest errors."""
_CELL, _NAME = 32.0, 112.0

Errors = Mapping[tuple[str, str], float]
"""Pair errors in %."""


def heat_map(names: Sequence[str], errors: Errors) -> Markup:
    """The error of each two columns, its number on its colour."""
    names = _worst(names, errors)
    cells = [
        _cell(at, row, f"{one} × {other}", error)
        for (at, one), (row, other) in combinations(enumerate(names), 2)
        if (error := errors.get((one, other), errors.get((other, one)))) is not None
    ]
    labels = [
        element(
            "text",
            short(name, 17),
            element("title", name),
            x=at * _CELL + 4,
            y=(at + 0.5) * _CELL + 4,
        )
        for at, name in enumerate(names)
    ]
    size = len(names) * _CELL
    return element(
        "svg",
        cells,
        labels,
        view_box=f"0 0 {size + _NAME:.0f} {size:.0f}",
        style=f"width:{size + _NAME:.0f}px",
        class_="map",
        role="img",
        aria_label="pair errors",
    )


def legend() -> Markup:
    """What each colour means."""
    inner = [f"{low} to {high} %" for low, high in pairwise(STEPS)]
    words = [f"under {STEPS[0]} %", *inner, f"{STEPS[-1]} % and more"]
    steps = [
        element("span", element("span", class_=f"key s{step}"), text)
        for step, text in enumerate(words)
    ]
    return element("p", steps, class_="legend")


def _cell(at: int, row: int, pair: str, error: float) -> Markup:
    return element(
        "g",
        element("title", f"{pair}: {error:.2f} %"),
        element("rect", x=at * _CELL, y=row * _CELL, width=_CELL - 1, height=_CELL - 1),
        element(
            "text",
            f"{error:.1f}" if error < 9.95 else f"{error:.0f}",
            x=(at + 0.5) * _CELL - 0.5,
            y=(row + 0.5) * _CELL + 3,
            text_anchor="middle",
        ),
        class_=f"s{bisect_right(STEPS, error)}",
    )


def _worst(names: Sequence[str], errors: Errors) -> list[str]:
    if len(names) <= LARGEST_MAP:
        return list(names)
    most = dict.fromkeys(names, 0.0)
    for pair, error in errors.items():
        for name in pair:
            most[name] = max(most[name], error)
    kept = set(sorted(names, key=lambda name: -most[name])[:LARGEST_MAP])
    return [name for name in names if name in kept]
