"""Nearest neighbours between rows of mixed columns.

Numbers are scaled by the real table's range. A category that differs, or a number that only one of
two rows has, counts as two one-hot coordinates: 2 in the L1 distance, 2 in the squared L2 distance.
Every pair is looked at: no index helps at this many dimensions. Shapes: B rows, N numbers, D codes.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.spatial.distance import cdist

from gtcoder.evaluation.frame import Frame

_PAIRS_AT_ONCE = 4_000_000
"""Distances that one thread holds."""


_FAR = 1e6
"""So many ranges away is far, and its square still fits float32."""


@dataclass(frozen=True, slots=True)
class Points:
    """Rows in the space where they are compared."""

    numbers: np.ndarray
    """float64 (B, N)."""
    codes: np.ndarray
    """int16 or int32 (B, D)."""

    @classmethod
    def of(cls, real: Frame, frame: Frame) -> Self:
        """The points of a table's rows, in the scale of the real one."""
        low, span = _scale(real)
        missing = np.isnan(frame.numbers)
        numbers = np.where(missing, 0.0, (frame.numbers - low) / span).clip(-_FAR, _FAR)
        codes = np.concatenate([frame.codes, missing[:, np.isnan(real.numbers).any(0)]], axis=1)
        small = codes.size == 0 or codes.max() < 2**15
        return cls(numbers, codes.astype(np.int16 if small else np.int32))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> "Points":
        """Some of them, by place or mask."""
        return Points(self.numbers[rows], self.codes[rows])


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each row its nearest other."""

    distance: np.ndarray
    """float64 (B,); L1, or L2."""
    place: np.ndarray
    """int64 (B,); which of the others."""


def nearest(
    rows: Points, others: Points, *, squared: bool = False, itself: bool = False
) -> Nearest:
    """Each row's nearest other.

    Args:
        rows: those that look.
        others: those that are looked at.
        squared: by L2 distance; else by L1.
        itself: both are the same rows, and none is its own neighbour.
    """
    step = max(1, _PAIRS_AT_ONCE // max(len(others), 1))
    metric = "sqeuclidean" if squared else "cityblock"

    def chunk(start: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(start, min(start + step, len(rows)))
        apart = cdist(rows.numbers[part], others.numbers, metric)
        differ = np.zeros(apart.shape, np.int16)
        for a, b in zip(rows.codes[part].T, np.ascontiguousarray(others.codes.T), strict=True):
            differ += a[:, None] != b
        apart += 2.0 * differ
        if itself:
            apart[np.arange(len(apart)), np.arange(part.start, part.stop)] = np.inf
        place = apart.argmin(1)
        return apart[np.arange(len(apart)), place], place

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(chunk, range(0, len(rows), step)))
    distance, place = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Nearest(np.sqrt(distance) if squared else distance, place)


def dense(real: Frame, frame: Frame) -> np.ndarray:
    """Rows as vectors, float32 (B, ·): scaled numbers, and one-hot of the real categories."""
    points = Points.of(real, frame)
    blocks = [points.numbers.astype(np.float32)]
    for at, name in enumerate(real.roles.discrete):
        known = np.arange(real.levels[name].known)
        blocks.append((frame.codes[:, at, None] == known).astype(np.float32))
    return np.concatenate(blocks, axis=1)


def _scale(real: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Lowest value and range of each number."""
    gone = np.isnan(real.numbers)
    low = np.where(gone, np.inf, real.numbers).min(0)
    high = np.where(gone, -np.inf, real.numbers).max(0)
    low = np.where(np.isfinite(low), low, 0.0)
    return low, np.where(high > low, high - low, 1.0)
