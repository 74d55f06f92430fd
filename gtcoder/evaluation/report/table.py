"""Sections and tables of the page; on a narrow screen each row of a table folds into a block."""

from collections.abc import Sequence

from gtcoder.evaluation.report.markup import Child, Markup, element

Row = tuple[Child, ...]
"""The cells of a row; the first says what the row is."""


def section(title: str, *blocks: Child, lead: Child = None) -> Markup:
    """A section with a heading and a few words on what it shows."""
    said = element("p", lead, class_="soft") if lead else None
    return element("section", element("h2", title), said, blocks)


def table(heads: Sequence[str], rows: Sequence[Row], *, class_: str = "card wide") -> Markup:
    """A table whose other cells are numbers; they take their heads along when they fold."""
    first, *others = heads
    head = element(
        "tr",
        element("th", first),
        [element("th", text, class_="n", scope="col") for text in others],
    )
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            [
                element("td", cell, class_="n", data_head=text)
                for text, cell in zip(others, row[1:], strict=True)
            ],
        )
        for row in rows
    ]
    return element(
        "div", element("table", element("thead", head), element("tbody", body)), class_=class_
    )


def shown(value: float | None, percent: bool = False) -> str:
    """A figure as it is printed."""
    if value is None:
        return "–"
    if percent:
        return f"{value:.2f} %"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
