"""Rows as predictors see them: numbers, and an indicator for each category of the real table.

Shapes: B rows, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from gtcoder.evaluation.frame import Frame

MOST_INDICATORS = 256
"""Of a column with more categories, the rarest share the last one."""

_LARGEST = 1e15
"""Numbers are cut here, so that their squares stay finite in float32."""


@dataclass(frozen=True)
class Features:
    """Learned from the real rows, so that every table has the same features."""

    columns: tuple[str, ...]
    fitted: ColumnTransformer
    """Numbers with the median in place of missing ones, a flag for each that has missing ones among
    the real rows, and the categories one-hot; one that no real row has is all zeros."""

    @classmethod
    def fit(cls, real: Frame, columns: Sequence[str]) -> Self:
        """The features of some columns."""
        chosen = tuple(name for name in real.roles.columns if name in columns)
        numbers = sum(name in real.roles.continuous for name in chosen)
        fitted = ColumnTransformer(
            [
                ("numbers", _filled(), list(range(numbers))),
                ("categories", _one_hot(), list(range(numbers, len(chosen)))),
            ]
        )
        return cls(chosen, fitted.fit(_stacked(real, chosen)))

    def matrix(self, frame: Frame) -> np.ndarray:
        """The features of a table's rows, float32 (B, F)."""
        found: np.ndarray = self.fitted.transform(_stacked(frame, self.columns))
        return found.astype(np.float32)


def _filled() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(
        max_categories=MOST_INDICATORS,
        handle_unknown="ignore",
        sparse_output=False,
        dtype=np.float32,
    )


def _stacked(frame: Frame, columns: Sequence[str]) -> np.ndarray:
    """Numbers and codes beside one another, float64 (B, ·)."""
    values = [frame.column(name) for name in columns]
    return np.stack(values, 1).astype(np.float64).clip(-_LARGEST, _LARGEST)
