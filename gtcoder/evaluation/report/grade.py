"""One line for those who read no further: how well the rows stand in for the real ones, and why."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any


class Grade(StrEnum):
    """How well rows stand in for real ones, the worst last."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


Graded = tuple[Grade | None, str]
"""A grade, None if nothing was measured, and why in a few words."""

WEIGHED = (
    "The line at the top is as good as the worst of what was measured. Likeness is good up to a "
    "detector AUC of 0.65 and fair up to 0.85; at most fair where more than 5 % of rows break a "
    "rule. Use is good where models keep 85 % of what is to be learned from real rows beyond "
    "independent columns, and fair from 40 % on. Leaks are good where an attack's AUC is below "
    "0.55, or explained by drift, and fair below 0.7; at most fair where 1 % more of the rows than "
    "of held-out rows are exact copies, and poor from 10 % on."
)
"""How the grades of `verdict` and this line come about."""


def worst(*found: Graded) -> Graded:
    """The worst of grades; the first of equal ones."""
    order = [None, *Grade]
    return max(found, key=lambda each: order.index(each[0]))


def graded_line(verdict: Sequence[Mapping[str, Any]], held_out_rows: int | None) -> dict[str, Any]:
    """The grade of the whole, and the sentence.

    Args:
        verdict: the topics' findings, with their `grade` and `clause`.
        held_out_rows: how many there are, if they are too few; else None.
    """
    grade, _ = worst(*((each["grade"], each["clause"]) for each in verdict))
    good = [each["clause"] for each in verdict if each["grade"] == Grade.GOOD]
    fair = [each["clause"] for each in verdict if each["grade"] == Grade.FAIR]
    poor = [each["clause"] for each in verdict if each["grade"] == Grade.POOR]
    line = f"As a stand-in for the real rows: {grade}, because {_joined([*poor, *fair] or good)}"
    line += f", though {_joined(good)}." if good and grade != Grade.GOOD else "."
    unknown = _joined([each["unknown"] for each in verdict if each["unknown"]])
    line += f" Not measured: {unknown}." if unknown else ""
    if held_out_rows is not None:
        line += f" All of this is rough: there are only {held_out_rows} held-out rows."
    return {"grade": grade, "line": line}


def _joined(clauses: Sequence[str]) -> str:
    return ", and ".join(clauses)
