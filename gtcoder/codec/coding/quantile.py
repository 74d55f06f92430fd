"""Quantile coding: a value ⇄ an ordered code and its position in the code, in [0, 1).

A code is a piecewise-linear quantile function (see `intervals`), so uniform positions give back
the column's own distribution. A value that many rows share, or one on a grid, has an interval of
positions, and any of them encodes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from gtcoder.codec.coding.intervals import POSITIONS, Code, Cutting, cut
from gtcoder.codec.config import CodecConfig
from gtcoder.codec.layout import Scalar
from gtcoder.sketch.support import Support

_TABLE_VALUES = 65_536
"""A grid column within so many values is encoded by looking each value up."""

_POINT = 1e-290
"""A shorter interval of reals is one value: its slope would overflow."""

_LAST_POSITION = np.float32(1 - 2**-24)


@dataclass(frozen=True)
class QuantileCoding:
    """The codes of one column, in rising order."""

    codes: tuple[Code, ...]
    whole: bool
    """Whether values are whole numbers: places on a grid."""

    @classmethod
    def fit(cls, support: Support, config: CodecConfig) -> Self:
        """The coding of weighted values."""
        cutting = Cutting(
            bins=config.bins, max_values=config.max_values, min_rows=config.min_category_rows
        )
        return cls(tuple(cut(support, cutting)), support.grid is not None)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def scalar(self) -> Scalar:
        """None if every code is one value."""
        return Scalar.UNIFORM if any(self.spread) else Scalar.NONE

    @property
    def spread(self) -> tuple[bool, ...]:
        """Which codes hold several values."""
        return tuple(code.highs[-1] > code.lows[0] + self.whole for code in self.codes)

    @property
    def span(self) -> tuple[float, float]:
        """The first and the last position."""
        return 0.0, float(_LAST_POSITION)

    def share(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The share of a code's rows at positions `low`..`high`."""
        return (high - low) / _LAST_POSITION

    def encode(self, values: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes int16 and positions float32 of values int64 (grid) or float64, all (B,).

        Args:
            values: what to encode.
            within: which of a value's positions, in [0, 1) of them, float32 (B,).
        """
        if self._table is None:
            codes, positions, widths = self._locate(values)
        else:
            first, last = int(self._flat.lows[0]), int(self._flat.lasts[-1])
            at = np.clip(values, first, last) - first
            codes, positions, widths = (each[at] for each in self._table)
        return codes, np.minimum(positions + widths * within, _LAST_POSITION)

    def decode(self, codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Values int64 (grid) or float64 of codes and positions, all (B,)."""
        flat = self._flat
        if len(flat.lows) == len(self.codes):
            at = codes
        else:
            cell = np.minimum((positions * POSITIONS).astype(np.int32), POSITIONS - 1)
            at = flat.of_cell[cell + codes.astype(np.int32) * POSITIONS]
        if not flat.slopes.any():
            return flat.lows[at]
        along = (positions - flat.starts[at]) * flat.slopes[at]
        if self.whole:
            steps = np.minimum(along, flat.room[at]).astype(np.uint64)
            return (flat.lows[at].view(np.uint64) + steps).view(np.int64)
        return np.minimum(flat.lows[at] + along, flat.lasts[at])

    def _locate(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Codes int16, and where each value's positions begin and how many are its, float32.

        The nearest interval takes a value that is in none.
        """
        flat = self._flat
        at = np.maximum(np.searchsorted(flat.lows, values, side="right") - 1, 0)
        after = np.minimum(at + 1, len(flat.lows) - 1)
        x = values.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            nearer = flat.lows[after].astype(np.float64) - x < x - flat.lasts[at]
            at = np.where(nearer, after, at)
            inside = np.clip(values, flat.lows[at], flat.lasts[at]) - flat.lows[at]
        inside = inside.view(np.uint64) if self.whole else np.nan_to_num(inside)
        positions = (flat.starts[at] + inside * flat.rates[at]).astype(np.float32)
        return flat.codes[at], positions, flat.widths[at]

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """What `_locate` finds for every grid value, if those are few."""
        if not self.whole:
            return None
        first, last = int(self._flat.lows[0]), int(self._flat.lasts[-1])
        if last - first >= _TABLE_VALUES:
            return None
        return self._locate(np.arange(first, last + 1))

    @cached_property
    def _flat(self) -> "_Flat":
        return _Flat.of(self.codes, whole=self.whole)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; on a grid the edges of bins are halves, never a value."""
        return {
            "coding": "quantile",
            "whole": self.whole,
            "codes": [_code_to_dict(code, whole=self.whole) for code in self.codes],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        whole = plain["whole"]
        return cls(tuple(_code_from_dict(code, whole=whole) for code in plain["codes"]), whole)


@dataclass(frozen=True, slots=True)
class _Flat:
    """All codes' intervals one after the other, as arrays (I,)."""

    lows: np.ndarray
    lasts: np.ndarray
    """The last value in each: inclusive on a grid too."""
    codes: np.ndarray
    starts: np.ndarray
    """Position at which the interval starts in its code."""
    widths: np.ndarray
    """Positions of one value, float32: 0 among reals, but all of the interval's if it holds one."""
    slopes: np.ndarray
    """Values a position."""
    rates: np.ndarray
    """Positions a value, 0 where the interval holds a single real value."""
    room: np.ndarray
    """Largest step from the first value that stays below the next interval."""
    of_cell: np.ndarray
    """Interval of each 1 / POSITIONS of each code, (codes * POSITIONS,)."""

    @classmethod
    def of(cls, codes: tuple[Code, ...], *, whole: bool) -> "_Flat":
        dtype = np.int64 if whole else np.float64
        lows = np.array([low for code in codes for low in code.lows], dtype)
        lasts = np.array([high - whole for code in codes for high in code.highs], dtype)
        cells = np.concatenate([np.diff(code.borders) for code in codes])
        shares = cells / POSITIONS
        starts = np.concatenate([code.borders[:-1] for code in codes]) / POSITIONS
        single = lows == lasts if whole else _distances(lows, lasts) < _POINT
        point = single & ~np.bool_(whole)
        lengths = (lasts - lows).view(np.uint64) + 1.0 if whole else _distances(lows, lasts)
        widths = np.where(point, 1.0, lengths)
        rates = np.where(point, 0.0, shares / widths)
        return cls(
            lows=lows,
            lasts=lasts,
            codes=np.repeat(np.arange(len(codes)), [len(c.lows) for c in codes]).astype(np.int16),
            starts=starts,
            slopes=np.where(single, 0.0, widths / shares),
            rates=rates,
            widths=np.where(point, shares, rates * whole).astype(np.float32),
            room=np.nextafter(lengths, 0.0),
            of_cell=np.repeat(np.arange(len(lows), dtype=np.int32), cells),
        )


def _distances(lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(highs - lows)  # inf - inf


def _code_to_dict(code: Code, *, whole: bool) -> dict[str, Any]:
    if len(code.lows) == 1 and code.highs[0] == code.lows[0] + whole:
        return {"value": _finite_or_word(code.lows[0])}
    edges = _half_below if whole else float
    return {
        "lows": [edges(low) for low in code.lows],
        "highs": [edges(high) for high in code.highs],
        "borders": list(code.borders),
    }


def _code_from_dict(plain: Mapping[str, Any], *, whole: bool) -> Code:
    if "value" in plain:
        value = plain["value"] if whole else float(plain["value"])
        return Code((value,), (value + whole,), (0, POSITIONS))
    if whole:
        lows, highs = (tuple(map(_whole_above, plain[key])) for key in ("lows", "highs"))
        return Code(lows, highs, tuple(plain["borders"]))
    return Code(tuple(plain["lows"]), tuple(plain["highs"]), tuple(plain["borders"]))


def _half_below(edge: float) -> float:
    """The edge half a step down, where no value is (but not where floats have no halves)."""
    return edge - 0.5 if abs(edge) < 2**52 else edge


def _whole_above(edge: float) -> int:
    return round(edge + 0.5) if isinstance(edge, float) else edge


def _finite_or_word(value: float) -> float | str:
    """JSON has no infinities."""
    return value if abs(value) != float("inf") else str(value)
