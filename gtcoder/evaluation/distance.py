"""Nearest neighbours between rows of mixed columns.

Numbers are scaled by the real table's range. A category that differs, or a number that only one of
two rows has, counts as two one-hot coordinates: 2 in the L1 distance, 2 in the squared L2 distance.
The codes of every pair are looked at: no index helps at this many dimensions. Shapes: B rows, O
others, N numbers, D codes.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from scipy.spatial.distance import cdist

from gtcoder.evaluation.frame import Frame

_PAIRS_AT_ONCE = 2**19
"""Pairs that one thread looks at: what it holds of them stays near the processor."""
_FEW = 1 / 16
"""Of the pairs, that are worth to be looked at one by one."""
_FAR = 1e6
"""So many ranges away is far, and its square still fits float32."""


@dataclass(frozen=True, slots=True)
class Points:
    """Rows in the space where they are compared."""

    numbers: np.ndarray
    """float64 (B, N)."""
    codes: np.ndarray
    """Unsigned, of as few bytes as hold them (B, D)."""

    @classmethod
    def of(cls, real: Frame, frame: Frame) -> Self:
        """The points of a table's rows, in the scale of the real one."""
        low, span = _scale(real)
        missing = np.isnan(frame.numbers)
        numbers = np.where(missing, 0.0, (frame.numbers - low) / span).clip(-_FAR, _FAR)
        codes = np.concatenate([frame.codes, missing[:, np.isnan(real.numbers).any(0)]], axis=1)
        return cls(numbers, codes.astype(np.min_scalar_type(int(codes.max(initial=0)))))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray | slice) -> "Points":
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
    look = partial(_look, rows, others, np.ascontiguousarray(others.codes.T), squared, itself, step)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        place = np.concatenate(list(pool.map(look, range(0, len(rows), step))))
    there = others.take(place)
    apart = _powers(rows.numbers - there.numbers, squared).sum(1)
    distance = apart + 2.0 * (rows.codes != there.codes).sum(1)
    return Nearest(np.sqrt(distance) if squared else distance, place)


def _look(
    rows: Points,
    others: Points,
    other_codes: np.ndarray,
    squared: bool,
    itself: bool,
    step: int,
    start: int,
) -> np.ndarray:
    """Which other is the nearest to each of `step` rows from `start` on, int64 (B,).

    Others whose codes differ least are looked at first: one more code that differs makes 2, so if
    the numbers of the nearest of these make no more than that, no other is nearer.
    """
    part = rows.take(slice(start, min(start + step, len(rows))))
    own = np.arange(len(part))
    differ = _differing(part.codes, other_codes)  # (B, O)
    if itself:
        differ[own, start + own] = np.iinfo(differ.dtype).max
    alike = differ == differ.min(1)[:, None]
    if np.count_nonzero(alike) > _FEW * alike.size:
        return _nearest_of_all(part, others, differ, squared)
    at, place = np.nonzero(alike)
    apart = _powers(part.numbers[at] - others.numbers[place], squared).sum(1)
    best = np.minimum.reduceat(apart, np.searchsorted(at, own))
    hits = np.flatnonzero(apart == best[at])
    found = place[hits[np.searchsorted(at[hits], own)]]
    far = np.flatnonzero(best > 2)
    if len(far):
        found[far] = _nearest_of_all(part.take(far), others, differ[far], squared)
    return found


def _differing(codes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many codes of rows (B, D) and others (D, O) differ, (B, O)."""
    kind = np.uint8 if len(others) < 255 else np.uint16
    count = np.zeros((len(codes), others.shape[1]), kind)
    unlike = np.empty(count.shape, bool)
    for own, other in zip(codes.T, others, strict=True):
        np.not_equal(own[:, None], other, out=unlike)
        count += unlike
    return count


def _nearest_of_all(rows: Points, others: Points, differ: np.ndarray, squared: bool) -> np.ndarray:
    apart = cdist(rows.numbers, others.numbers, "sqeuclidean" if squared else "cityblock")
    nearest: np.ndarray = (apart + 2.0 * differ).argmin(1)
    return nearest


def _powers(apart: np.ndarray, squared: bool) -> np.ndarray:
    return apart**2 if squared else np.abs(apart)


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
