"""Categories of the real table that another table never has.

A category that few rows have may be missing by chance, so only those count that the other table was
to have EXPECTED times, had it the real shares: it lacks such a one by chance once in e⁵ ≈ 150.
"""

from dataclasses import dataclass

import numpy as np

from gtcoder.evaluation.frame import Frame

EXPECTED = 5
"""Rows that must have a category, in the real table, and in the other by the real share."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What one column lost."""

    real_rows: dict[str | None, int]
    """Real rows that have each lost category, the most frequent first."""
    of: int
    """Categories that were looked for."""


def lost_categories(real: Frame, other: Frame) -> dict[str, Lost]:
    """What each discrete column lost; missing values are a category."""
    found = {}
    for name in real.roles.discrete:
        levels = real.levels[name]
        rows, others = (
            np.bincount(frame.column(name), minlength=levels.known)[: levels.known]
            for frame in (real, other)
        )
        sought = (rows >= EXPECTED) & (rows * len(other) >= EXPECTED * len(real))
        gone = np.flatnonzero(sought & (others == 0))
        gone = gone[np.argsort(-rows[gone], kind="stable")]
        found[name] = Lost({levels.names[at]: int(rows[at]) for at in gone}, int(sought.sum()))
    return found
