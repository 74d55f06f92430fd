"""The sections on how alike the tables are: figures, rules, made-up text."""

from collections.abc import Mapping, Sequence
from typing import Any

from gtcoder.evaluation.report import glossary
from gtcoder.evaluation.report.markup import Child, Markup, short
from gtcoder.evaluation.report.sections.figures import HEADS, figure
from gtcoder.evaluation.report.table import Row, section, shown, table
from gtcoder.evaluation.report.verdict import ranked_rules

MOST_RULES = 40
"""Rules that are shown."""
_ENDS = (
    "Every figure beside the same figure of held-out real rows, as good as it gets, and of "
    "independent columns, where every real column is shuffled for itself and all dependence is "
    "lost. The bar says how far the synthetic table has come from these to those."
)


def likeness(report: Mapping[str, Any]) -> Markup:
    """Every figure of fidelity."""
    copied = report["privacy"]["exact_copy_share"]
    beyond = copied["synthetic"] > copied["held_out"] + 0.01
    why = "as many rows are copies" if beyond else "by the noise of few rows"
    rows = [
        figure(entry, report["fidelity"][key], why=why) for key, entry in glossary.FIDELITY.items()
    ]
    return section("Likeness", table(HEADS, rows), lead=_ENDS)


def rules(report: Mapping[str, Any]) -> Markup | None:
    """How many rows keep each rule, the least kept first."""
    ranked = ranked_rules(report["rules"])
    nearly = [each for each in report["rules"] if each["nearly"]]
    if not ranked and not nearly:
        return None
    rows = [
        (
            short(each["in_words"], 100),
            *_percents(each["kept_share"], ("synthetic", "held_out", "real")),
        )
        for each in [*ranked[:MOST_RULES], *nearly[:MOST_RULES]]
    ]
    lead = ""
    if ranked:
        cut = f" The {MOST_RULES} least kept of {len(ranked)}." if len(ranked) > MOST_RULES else ""
        lead = (
            "What every real row keeps, found by itself, and the share of rows that keep it where "
            f"the rule says something of them.{cut} "
        )
    if nearly:
        lead += (
            "What nearly follows from other columns, and the share of rows in which it is as near "
            "as in 19 of 20 real ones."
        )
    heads = ("", "synthetic", "held-out real", "real")
    return section("Rules between columns", table(heads, rows), lead=lead)


def patterns(report: Mapping[str, Any]) -> Markup | None:
    """Text that was made up: does it look like real text, and is it real text?"""
    if not report["patterns"]:
        return None
    sides = ("synthetic", "held_out")
    rows: Sequence[Row] = [
        (
            each["name"],
            *_percents(each["known_form_share"], sides),
            *_percents(each["real_value_share"], sides),
        )
        for each in report["patterns"]
    ]
    heads = ("", "of a real form", "held-out real", "equal to a real value", "held-out real")
    return section(
        "Codes, numbers and addresses",
        table(heads, rows),
        lead="Columns whose values hardly repeat are not compared value by value. Here is the "
        "share of values of a form that real ones have (the same signs between letters and "
        "digits, no longer and no shorter), and the share of values that real rows have too.",
    )


def _percents(shares: Mapping[str, float | None], names: Sequence[str]) -> list[Child]:
    return [shown(None if (share := shares[name]) is None else 100 * share, True) for name in names]
