"""The section on where the tables differ: pairs of columns, the detector, lost categories."""

from collections.abc import Mapping, Sequence
from typing import Any

from gtcoder.evaluation.report.heat import LARGEST_MAP, heat_map, legend
from gtcoder.evaluation.report.markup import Child, Markup, element, short
from gtcoder.evaluation.report.picture import bars
from gtcoder.evaluation.report.sections.figures import TABLES
from gtcoder.evaluation.report.table import Row, section, shown, table
from gtcoder.evaluation.report.verdict import TELLING, columns_with_losses, telling

WORST_PAIRS = 12
MOST_BARS = 15
MOST_NAMED = 8
"""Lost categories of a column that are named; report.json has more."""


def differences(report: Mapping[str, Any]) -> Markup:
    """Where the synthetic table differs from the real one."""
    pairs = [p for p in report["by_pair"] if p["trend_error_pct"]["synthetic"] is not None]
    names = [column["name"] for column in report["by_column"]]
    return section(
        "Where they differ",
        _map(names, pairs, len(report["by_pair"]) - len(pairs), report["fidelity"]),
        element("div", _detector(report), _worst(pairs), class_="grid halves"),
        _lost(report["by_column"]),
    )


def _map(
    names: Sequence[str],
    pairs: Sequence[Mapping[str, Any]],
    without: int,
    figures: Mapping[str, Any],
) -> Markup:
    errors = {tuple(pair["columns"]): pair["trend_error_pct"]["synthetic"] for pair in pairs}
    mean = figures["trend_error_pct"]
    said = (
        "A cell stands for the column named at the end of its row and the one named at the top of "
        "its column; the colours mean the same in every report. The mean of all pairs is "
        f"{mean['synthetic']:.2f} %, for held-out real rows {mean['held_out']:.2f} %."
    )
    if without:
        said += " A gap: one of both columns is always the same, so that nothing depends on it."
    if len(names) > LARGEST_MAP:
        said += f" The {LARGEST_MAP} columns furthest off, of {len(names)}."
    drawn = (legend(), element("div", heat_map(names, errors), class_="wide"))
    return element(
        "div",
        element("h3", "Pair errors of the synthetic table, in %"),
        (drawn, element("p", said, class_="soft")) if errors else "one column only",
        class_="card",
    )


def _detector(report: Mapping[str, Any]) -> Markup:
    columns = report["by_column"]
    told = telling(columns)[:MOST_BARS]
    auc = report["fidelity"]["detector_auc"]["synthetic"]
    least = f"By how much its AUC ({auc:.3f}) falls when a column is shuffled."
    if told:
        rest = len(columns) - len(told)
        others = f" Of the other {rest} columns each tells less." if rest else ""
        drawn: Child = bars([(column["name"], column["detector_importance"]) for column in told])
        said = f"{least} Columns that are only wrong together all show up.{others}"
    else:
        drawn = element("p", "By nothing: no single column gives the rows away.")
        said = f"Its AUC ({auc:.3f}) falls by less than {TELLING} whichever column is shuffled."
    return element(
        "div",
        element("h3", "What the detector goes by"),
        drawn,
        element("p", said, class_="soft"),
        class_="card",
    )


def _worst(pairs: Sequence[Mapping[str, Any]]) -> Markup:
    ranked = sorted(pairs, key=lambda pair: -float(pair["trend_error_pct"]["synthetic"]))
    rows = [
        (" × ".join(pair["columns"]), *(shown(pair["trend_error_pct"][n], True) for n in TABLES))
        for pair in ranked[:WORST_PAIRS]
    ]
    return element(
        "div",
        element("h3", "Largest pair errors"),
        table(("", "synthetic", "held-out", "indep."), rows, class_="wide"),
        class_="card",
    )


def _lost(columns: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Categories that the synthetic table never has, the columns with the most such rows first."""
    lost = columns_with_losses(columns)
    rows = [_loss(short(column["name"], 60), column["lost_categories"]) for column in lost]
    if not rows:
        return None
    more = f" {MOST_BARS} of {len(lost)} columns are shown." if len(lost) > MOST_BARS else ""
    return element(
        "div",
        element("h3", "Categories that were lost"),
        table(("", "synthetic", "held-out real", "real rows"), rows[:MOST_BARS], class_="wide"),
        element(
            "p",
            "They never appear, though at least five rows were to have them by their share of the "
            f"real rows. In brackets how many real rows do.{more}",
            class_="soft",
        ),
        class_="card",
        style="margin-top:14px",
    )


def _loss(name: str, lost: Mapping[str, Any]) -> Row:
    counts = [f"{lost['count'][table]} of {lost['of'][table]}" for table in TABLES[:2]]
    named_ones = lost["most_frequent"][:MOST_NAMED]
    named = ", ".join(f"{short(e['category'], 40)} ({e['real_rows']:,})" for e in named_ones)
    rest = lost["count"]["synthetic"] - len(named_ones)
    which = element("p", f"{named} and {rest} more" if rest else named, class_="soft")
    return ([element("strong", name), which], *counts, f"{lost['real_rows']:,}")
