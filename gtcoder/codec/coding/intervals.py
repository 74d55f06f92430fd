"""Cut a column's weighted values into ordered codes: heavy values alone, the rest in bins.

A code is a piecewise-linear quantile function: intervals of values, each with its share of the
code's positions [0, 1). A heavy value is a code with one interval that holds nothing else; within
a bin, values that are heavy for the bin have intervals to themselves too.

Privacy: a value is written as it is only if `min_rows` rows share it. Every other edge is the
middle between two neighbours or a mean over `min_rows` rows, and every interval has that many.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, inf, nextafter

import numpy as np

from gtcoder.sketch.support import Support

POSITIONS = 1024
"""Interval borders stand on multiples of 1 / POSITIONS of a bin, so decoding can look them up."""

INTERVALS = 32
"""A bin's values share so many intervals, or have one each if they are fewer."""


@dataclass(frozen=True, slots=True)
class Code:
    """One code's intervals: `lows[i]`..`highs[i]` holds positions `borders[i]`..`borders[i + 1]`.

    On a grid the values are whole and `highs` exclusive; otherwise a heavy value has low == high.
    """

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    borders: tuple[int, ...]
    """In units of 1 / POSITIONS, from 0 to POSITIONS."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutting:
    """How to cut."""

    bins: int
    max_values: int
    min_rows: int


def cut(support: Support, cutting: Cutting) -> list[Code]:
    """The codes of a column, ascending; none if no `min_rows` rows can stand together."""
    heavy = _heavy(support, cutting)
    told = heavy | support.moderate  # no interval may end at infinity
    support, heavy = support.where(told), heavy[told]
    target = max(support.weights[~heavy].sum() / cutting.bins, cutting.min_rows)
    alone = heavy.copy()
    codes: list[tuple[int, int]] = []
    for start, stop in _runs(heavy, 0, len(heavy)):
        if heavy[start]:
            codes.extend((at, at + 1) for at in range(start, stop))
            continue
        for low, high in _bins(support.weights, start, stop, target, cutting.min_rows):
            codes.append((low, high))
            alone[low:high] = support.weights[low:high] >= max(
                cutting.min_rows,
                support.weights[low:high].sum() / INTERVALS if high - low > INTERVALS else 0,
            )
    cutter = _Cutter(support, alone, cutting.min_rows)
    return [cutter.code(start, stop) for start, stop in codes]


def _heavy(support: Support, cutting: Cutting) -> np.ndarray:
    """Which values are codes of their own."""
    rows = float(cutting.min_rows)
    if not support.exact or len(support.values) > cutting.max_values:
        rows = max(rows, support.weights.sum() / cutting.bins)
    return np.asarray(support.weights >= rows)


def _runs(marked: np.ndarray, start: int, stop: int) -> list[tuple[int, int]]:
    """The stretches of [start, stop) that are all marked or all not."""
    borders = np.flatnonzero(np.diff(marked[start:stop].astype(np.int8))) + 1 + start
    return list(pairwise([start, *borders.tolist(), stop])) if stop > start else []


def _bins(
    weights: np.ndarray, start: int, stop: int, target: float, min_rows: int
) -> list[tuple[int, int]]:
    """Stretches of [start, stop) of about `target` rows; none if there are under `min_rows`.

    A value as heavy as a bin has one to itself if it can.
    """
    total = np.concatenate([[0.0], np.cumsum(weights[start:stop])])
    if total[-1] < min_rows:
        return []
    count = max(1, round(total[-1] / target))
    even = np.searchsorted(total[1:], total[-1] * np.arange(1, count) / count) + 1
    heavy = np.flatnonzero(weights[start:stop] >= max(total[-1] / count, min_rows))
    beside = {*heavy.tolist(), *(heavy + 1).tolist()}
    kept = [0]
    for place in sorted({*even.tolist(), *beside} - {0, stop - start}):
        if total[-1] - total[place] < min_rows:
            break
        if total[place] - total[kept[-1]] < min_rows:
            if place not in beside or kept[-1] in beside or len(kept) < 2:
                continue
            kept.pop()  # rather join two light stretches than a light one with a heavy value
        kept.append(place)
    return [(start + low, start + high) for low, high in pairwise([*kept, stop - start])]


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Turns stretches of values into codes."""

    support: Support
    alone: np.ndarray
    """Which values have an interval to themselves, bool (V,)."""
    min_rows: int

    def code(self, start: int, stop: int) -> Code:
        """The code of the values [start, stop); few rows between heavy ones join the nearest."""
        values, weights = self.support.values, self.support.weights
        spans: list[tuple[float, float]] = []
        rows: list[float] = []
        stray = []
        target = weights[start:stop].sum() / INTERVALS
        for first, last in _runs(self.alone, start, stop):
            if self.alone[first]:
                parts = [(at, at + 1) for at in range(first, last)]
                spans.extend(self._single(at) for at in range(first, last))
            else:
                parts = _bins(weights, first, last, max(target, self.min_rows), self.min_rows)
                spans.extend(self._span(low, high, first, last) for low, high in parts)
            rows.extend(float(weights[low:high].sum()) for low, high in parts)
            if not parts:
                stray.append((first, last))
        middles = np.array([low / 2 + high / 2 for low, high in spans])
        for first, last in stray:
            nearest = np.abs(middles - float(values[first])).argmin()
            rows[nearest] += weights[first:last].sum()
        lows, highs = zip(*spans, strict=True)
        return Code(lows, highs, _borders(np.array(rows)))

    def _single(self, at: int) -> tuple[float, float]:
        value = self.support.values[at].item()
        return value, value + self._whole

    def _span(self, low: int, high: int, start: int, stop: int) -> tuple[float, float]:
        """The interval of the light values [low, high), which stand in the stretch [start, stop).

        It touches its light neighbours, in the same bin or the next.
        """
        below = low > 0 and not self.alone[low - 1]
        above = high < len(self.alone) and not self.alone[high]
        rows = self.support.weights[low:high].sum()
        few = not below and not above and rows < 2 * self.min_rows
        first = self._middle(low) if below else self._end(start, stop, lower=True, few=few)
        last = self._middle(high) if above else self._end(start, stop, lower=False, few=few)
        if above and not below:
            return min(first, last - self._whole), last
        return first, max(last, first + self._whole)

    def _middle(self, at: int) -> float:
        """The edge below value `at`; on a grid the first value of the upper interval."""
        below, above = (value.item() for value in self.support.values[at - 1 : at + 1])
        return below + (above - below + 1) // 2 if self._whole else below / 2 + above / 2

    def _end(self, start: int, stop: int, *, lower: bool, few: bool) -> float:
        """Where a light stretch ends: a mean over its outermost rows, never an exact extreme.

        Beside a heavy value, or if both ends are of the same few rows, their spread is added.
        """
        beyond = start - 1 if lower else stop
        neighbour = 0 <= beyond < len(self.support.values)
        mean, spread = self.support.outermost(start, stop, self.min_rows, lower=lower)
        if neighbour or few:
            mean += -spread if lower else spread
        edge = self._on_values_side(mean, lower=lower)
        if not neighbour:
            return edge
        heavy = self.support.values[beyond].item()
        if self._whole:
            return max(edge, heavy + 1) if lower else min(edge, heavy)
        return max(edge, nextafter(heavy, inf)) if lower else min(edge, nextafter(heavy, -inf))

    def _on_values_side(self, edge: float, *, lower: bool) -> float:
        """The edge, on the grid, not past zero if no value is."""
        values = self.support.values
        if (values[0] >= 0 > edge) if lower else (values[-1] <= 0 < edge):
            edge = 0.0
        if not self._whole:
            return edge
        return max(ceil(edge), -(2**63)) if lower else min(floor(edge) + 1, 2**63)

    @property
    def _whole(self) -> bool:
        return self.support.grid is not None


def _borders(rows: np.ndarray) -> tuple[int, ...]:
    """Cumulative shares in units of 1 / POSITIONS, each interval at least one unit wide."""
    share = np.concatenate([[0.0], np.cumsum(rows)]) / rows.sum() * POSITIONS
    least = np.arange(len(share))
    borders = np.maximum.accumulate(np.rint(share).astype(int) - least) + least
    return tuple(int(b) for b in np.minimum(borders, POSITIONS - least[::-1]))
