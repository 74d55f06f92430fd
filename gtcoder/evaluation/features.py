"""Rows as predictors see them: numbers, and an indicator for each category of the real table.

Shapes: B rows, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gtcoder.evaluation.frame import Frame

MOST_INDICATORS = 256
"""Of a column with more categories, the most frequent have one."""

_LARGEST = 1e18
"""Numbers are cut here, so that their squares stay finite in float32."""


@dataclass(frozen=True)
class Features:
    """Learned from the real rows, so that every table has the same features."""

    continuous: tuple[str, ...]
    fill: np.ndarray
    """Median of each continuous column, which takes the place of missing values."""
    flagged: np.ndarray
    """bool; continuous columns with missing values among the real rows: they have an indicator."""
    indicators: tuple[tuple[str, np.ndarray], ...]
    """Discrete columns, and the codes that have an indicator; any other code is all zeros."""

    @classmethod
    def fit(cls, real: Frame, columns: Sequence[str]) -> Self:
        """The features of some columns."""
        continuous = tuple(name for name in real.roles.continuous if name in columns)
        values = [real.column(name) for name in continuous]
        fill = [np.nanmedian(v) if not np.isnan(v).all() else 0.0 for v in values]
        return cls(
            continuous,
            np.array(fill),
            np.array([np.isnan(v).any() for v in values], bool),
            tuple(
                (name, _frequent(real.column(name), real.levels[name].known))
                for name in real.roles.discrete
                if name in columns
            ),
        )

    def matrix(self, frame: Frame) -> np.ndarray:
        """The features of a table's rows, float32 (B, F)."""
        columns = [frame.column(name) for name in self.continuous]
        numbers = np.stack(columns, 1) if columns else np.empty((len(frame), 0))
        missing = np.isnan(numbers)
        filled = np.clip(np.where(missing, self.fill, numbers), -_LARGEST, _LARGEST)
        blocks = [filled, missing[:, self.flagged]]
        blocks += [frame.column(name)[:, None] == codes for name, codes in self.indicators]
        return np.concatenate([block.astype(np.float32) for block in blocks], axis=1)


def _frequent(codes: np.ndarray, known: int) -> np.ndarray:
    counts = np.bincount(codes, minlength=known)[:known]
    return np.sort(np.argsort(-counts, kind="stable")[:MOST_INDICATORS])
