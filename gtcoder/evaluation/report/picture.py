"""Small inline SVG pictures for the page, drawn with the page's own colours."""

from collections.abc import Mapping, Sequence
from typing import Any

from gtcoder.evaluation.report.axis import marks
from gtcoder.evaluation.report.markup import Markup, element, short

WIDTH, HEIGHT = 300.0, 118.0
_BAR = 15.0
_LABEL = 108.0


def column_picture(profile: Mapping[str, Any]) -> Markup:
    """A column's distribution: real filled, synthetic as a line or a second bar."""
    if not profile["real"]:
        return element("p", "no value in the real table", class_="soft")
    return _categories(profile) if "labels" in profile else _histogram(profile)


def _histogram(profile: Mapping[str, Any]) -> Markup:
    sides = profile["real"], profile["synthetic"]
    top = max(*sides[0], *sides[1], 1e-9)
    floor, step = HEIGHT - 16, WIDTH / len(sides[0])
    real = [
        element(
            "rect",
            x=at * step,
            y=floor * (1 - share / top),
            width=max(step - 1, 1.0),
            height=floor * share / top,
            class_="real",
        )
        for at, share in enumerate(sides[0])
    ]
    line = []
    for at, share in enumerate(sides[1]):
        y = floor * (1 - share / top)
        line += [f"{at * step:.1f},{y:.1f}", f"{(at + 1) * step - 1:.1f},{y:.1f}"]
    drawn = element("polyline", points=" ".join(line), class_="made")
    return _svg(HEIGHT, real, drawn, [_mark(*mark, floor) for mark in marks(profile)])


def _mark(share: float, text: str, y: float) -> tuple[Markup, Markup]:
    """A stroke below the picture, and what it says."""
    x = share * WIDTH
    half = 2.7 * len(text)
    anchor = "start" if x < half else "end" if x > WIDTH - half else "middle"
    return (
        element("line", x1=x, x2=x, y1=y, y2=y + 3, class_="tick"),
        element("text", text, x=x, y=HEIGHT - 3, text_anchor=anchor),
    )


def _categories(profile: Mapping[str, Any]) -> Markup:
    top = max(*profile["real"], *profile["synthetic"], 1e-9)
    room = WIDTH - _LABEL - 38
    rows = []
    for at, label in enumerate(profile["labels"]):
        real, made = profile["real"][at], profile["synthetic"][at]
        y = at * _BAR
        rows += [
            element(
                "text",
                short(str(label), 17),
                element("title", str(label)),
                x=_LABEL - 5,
                y=y + 10.5,
                text_anchor="end",
            ),
            element("rect", x=_LABEL, y=y + 1, width=room * real / top, height=6.0, class_="real"),
            element("rect", x=_LABEL, y=y + 7, width=room * made / top, height=6.0, class_="fill"),
            element("text", f"{real:.0%}", x=WIDTH, y=y + 10.5, text_anchor="end", class_="soft"),
        ]
    return _svg(_BAR * len(profile["labels"]) + 2, rows)


def bars(shares: Sequence[tuple[str, float]]) -> Markup:
    """Named numbers as horizontal bars, in the order given."""
    top = max([value for _, value in shares] + [1e-9])
    room = WIDTH - _LABEL - 38
    rows = [
        (
            element(
                "text",
                short(name, 17),
                element("title", name),
                x=_LABEL - 5,
                y=at * _BAR + 11,
                text_anchor="end",
            ),
            element(
                "rect",
                x=_LABEL,
                y=at * _BAR + 2,
                width=room * value / top,
                height=11.0,
                class_="fill",
            ),
            element("text", f"{value:.3f}", x=WIDTH, y=at * _BAR + 11, text_anchor="end"),
        )
        for at, (name, value) in enumerate(shares)
    ]
    return _svg(_BAR * len(shares) + 2, rows)


def scale(found: float, ceiling: float, floor: float) -> Markup:
    """Where a figure lies between independent columns (left) and held-out real rows (right)."""
    share = min(max((found - floor) / (ceiling - floor), 0.0), 1.0)
    return element(
        "svg",
        element("title", f"{share:.0%} of the way from independent columns to held-out real rows"),
        element("rect", x=0, y=4, width=100, height=4, rx=2, class_="track"),
        element("rect", x=0, y=4, width=100 * share, height=4, rx=2, class_="fill"),
        element("circle", cx=5 + 90 * share, cy=6, r=5, class_="fill"),
        view_box="0 0 100 12",
        class_="scale",
    )


def _svg(height: float, *children: Any) -> Markup:
    return element("svg", *children, view_box=f"0 0 {WIDTH:.0f} {height:.0f}", role="img")
