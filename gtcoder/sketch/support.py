"""A column's distribution as weighted values, from exact counts or from the sketches.

The one place that turns sketches into numbers a transform is fitted on. It holds real values, so
nothing of it is stored as it is.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow.types as pt

from gtcoder.sketch.column import ColumnSketch

_QUANTILES = 16_384
_FEWEST_STEPS = 8
"""A step that fits into the range fewer times would tell more of the values than of their grid."""

_FEWEST_ESTIMATES = 5
_LARGEST = float(np.finfo(np.float64).max) / 4

_HEAVY_SHARE = 1 / 512
"""Values more frequent than this get their counted weight rather than the quantiles' estimate."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Values are (anchor + step * k) / 10**decimals for whole k; anchor in [0, step)."""

    decimals: int = 0
    step: int = 1
    anchor: int = 0

    def index(self, ticks: np.ndarray) -> np.ndarray:
        """The k of ticks int64, or of float64 values, finite or not, (B,) -> int64 (B,)."""
        if ticks.dtype != np.int64:
            scaled = np.rint(ticks * 10.0**self.decimals)
            bound = 2.0**62
            ticks = np.clip(np.nan_to_num(scaled, posinf=bound, neginf=-bound), -bound, bound)
            ticks = ticks.astype(np.int64)
        if self.step == 1:
            return ticks
        return ticks // self.step

    def ticks(self, index: np.ndarray) -> np.ndarray:
        """The ticks of k, int64 (B,)."""
        return index if self.step == 1 else index * self.step + self.anchor


@dataclass(frozen=True, slots=True)
class Support:
    """Distinct `values` ascending, int64 on a grid or float64, and `weights`, the rows of each."""

    values: np.ndarray
    weights: np.ndarray
    exact: bool
    grid: Grid | None

    def where(self, kept: np.ndarray) -> Self:
        """The same with only the values marked in `kept` (V,)."""
        return replace(self, values=self.values[kept], weights=self.weights[kept])

    @property
    def moderate(self) -> np.ndarray:
        """Which values are finite and their distances too, bool (V,)."""
        return np.abs(self.values.astype(np.float64)) <= _LARGEST

    def outermost(self, start: int, stop: int, rows: int, *, lower: bool) -> tuple[float, float]:
        """Mean and half-width (as of a uniform spread) of the lowest or highest `rows` rows.

        Only the values [start, stop) count. Estimated values stand for many rows each, so at least
        five of those are averaged: no exact extreme shows.
        """
        order = slice(None, None, 1 if lower else -1)
        weights = self.weights[start:stop][order]
        least = float(rows if self.exact else max(rows, _FEWEST_ESTIMATES * weights[0]))
        taken = np.diff(np.minimum(np.cumsum(weights), least), prepend=0.0)
        values = self.values[start:stop][order][taken > 0].astype(np.float64)
        scale = max(float(np.abs(values).max()), 1e-300)  # squares must not overflow
        mean = np.average(values / scale, weights=taken[taken > 0])
        variance = np.average((values / scale - mean) ** 2, weights=taken[taken > 0])
        return float(mean * scale), float(np.sqrt(3 * variance) * scale)

    def ends(self, rows: int) -> tuple[float, float]:
        """The means of the lowest and of the highest `rows` rows."""
        return (
            self.outermost(0, len(self.values), rows, lower=True)[0],
            self.outermost(0, len(self.values), rows, lower=False)[0],
        )


def natural_ends(sketch: ColumnSketch, rows: int) -> tuple[float, float]:
    """The means of the lowest and of the highest `rows` rows in the column's own unit.

    On a grid they are the nearest values between them.
    """
    low, high = support_of(sketch).ends(rows)
    grid = natural_grid(sketch)
    if grid is None:
        return low, high
    first, last = np.ceil(low - 1e-9), np.floor(high + 1e-9)
    if first > last:  # all rows about the same
        first = last = np.rint(low)
    step, anchor = grid
    return float(first * step + anchor), float(last * step + anchor)


def natural_grid(sketch: ColumnSketch) -> tuple[float, float] | None:
    """Step and anchor of a column's grid in its own unit; nothing of one without a grid."""
    grid = _grid(sketch)
    if grid is None:
        return None
    scale = sketch.type.scale if pt.is_decimal(sketch.type) else 0
    unit = 10.0 ** -(grid.decimals + scale)
    return grid.step * unit, grid.anchor * unit


def support_of(sketch: ColumnSketch) -> Support:
    """The weighted finite values of a column of numbers."""
    assert sketch.numbers is not None
    grid = _grid(sketch)
    counts = sketch.counts
    values, weights = np.asarray(counts.values), counts.counts.astype(np.float64)
    if values.dtype == np.float64:  # infinities have codes of their own
        finite = np.isfinite(values)
        values, weights = values[finite], weights[finite]
    if not counts.exact:
        values, weights = _estimated(sketch, values, weights)
    values = values.astype(np.float64) if grid is None else grid.index(values)
    unique, where = np.unique(values, return_inverse=True)
    return Support(unique, np.bincount(where, weights, len(unique)), counts.exact, grid)


def _grid(sketch: ColumnSketch) -> Grid | None:
    assert sketch.numbers is not None
    lattice = sketch.numbers.lattice
    if not lattice.regular or lattice.anchor is None:
        return None
    if sketch.counts.values.type != "int64":
        largest = np.abs(sketch.numbers.quantiles.at(np.array([0.0, 1.0]))).max()
        if largest * 10.0**lattice.decimals > 2.0**53:
            return None
    low, high = sketch.numbers.quantiles.at(np.array([0.0, 1.0])) * 10.0**lattice.decimals
    step = lattice.step if 0 < lattice.step * _FEWEST_STEPS <= high - low else 1
    return Grid(lattice.decimals, step, lattice.anchor % step)


def _estimated(
    sketch: ColumnSketch, values: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of equal weight, but for the heavy values, which the counts know better."""
    assert sketch.numbers is not None
    ranks = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    sample = sketch.numbers.quantiles.at(ranks)
    if values.dtype == np.int64:
        sample = np.clip(sample, -(2.0**63), 2.0**63 - 1024).astype(np.int64)
    heavy = counts >= _HEAVY_SHARE * sketch.present
    light = sample[~np.isin(sample, values[heavy])]
    heavy_counts = counts[heavy] + sketch.counts.error / 2
    rest = max(sketch.present - sum(sketch.numbers.infinite) - heavy_counts.sum(), 0.0)
    weights = np.full(len(light), rest / max(len(light), 1))
    return np.concatenate([light, values[heavy]]), np.concatenate([weights, heavy_counts])
