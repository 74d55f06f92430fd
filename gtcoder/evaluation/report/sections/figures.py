"""Rows of the tables of figures: what it is, the figure, and what it is measured against."""

from collections.abc import Mapping, Sequence

from gtcoder.evaluation.report.glossary import Entry
from gtcoder.evaluation.report.markup import Child, Markup, element, join
from gtcoder.evaluation.report.picture import scale
from gtcoder.evaluation.report.table import Row, shown

HEADS = ("", "synthetic", "held-out real", "independent", "best", "")
TABLES = ("synthetic", "held_out", "independent")


def figure(
    entry: Entry,
    values: Mapping[str, float],
    *,
    ceiling: str = "held_out",
    why: str = "by the noise of few rows",
) -> Row:
    """A figure between its ceiling and its floor; `why` it may be better than the ceiling."""
    found, top, floor = values["synthetic"], values[ceiling], values["independent"]
    if None in (found, top, floor):
        return (*cells(entry, ["not measured", "–", "–"]), None)
    sign = -1 if entry.falling else 1
    clear = 0.02 * (abs(top) + abs(floor))
    # no scale where independent columns are as good: for Shape always, by chance on few rows
    lies = scale(found, top, floor) if sign * (top - floor) > clear else None
    texts = [shown(value, entry.percent) for value in (found, top, floor)]
    better = entry.ordered and sign * (found - top) > clear
    note = element("p", f"better than real rows, {why}", class_="note") if better else None
    return (*cells(entry, texts), [lies, note] if lies or note else None)


def cells(entry: Entry, texts: Sequence[Child]) -> Row:
    """What the figure is, the synthetic table's, the others', and where it is best."""
    title = (element("strong", entry.title), element("p", entry.text, class_="soft"))
    return (title, element("strong", texts[0]), *texts[1:], entry.best)


def spread(interval: Mapping[str, float] | None) -> Markup:
    """A figure, and its interval below it: four of them fit beside one another."""
    if interval is None:
        return join("too few rows")
    ends = f"[{interval['low']:.3f}, {interval['high']:.3f}]"
    return join([f"{interval['value']:.3f}", element("br"), element("small", ends, class_="soft")])
