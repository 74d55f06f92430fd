"""Columns as the numbers that formulas are about, and back: moments and spans in nanoseconds.

Shapes: B rows.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.table.ticks import from_ticks, to_ticks
from gtcoder.table.types import Family, family_of, is_whole

DAY_NS = 86_400 * 10**9
_UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_LARGEST_NS = 2**62
_LARGEST = 2**53
"""Whole numbers up to this are exact in float64."""


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers, int64 or float64 (B,), and whether each is known, bool (B,)."""

    numbers: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, array: pa.Array) -> Self:
        """The values of a column of numbers, moments, spans or booleans.

        Null, NaN, infinities and what is out of a formula's reach are unknown.
        """
        kind, known = array.type, array.is_valid().to_numpy(zero_copy_only=False)
        if pt.is_boolean(kind):
            return cls(array.cast(pa.int8()).fill_null(0).to_numpy().astype(np.int64), known)
        ticks = to_ticks(array)
        if pt.is_temporal(kind):
            unit = unit_ns(kind)
            known = known & (np.abs(ticks) <= _LARGEST_NS // unit)
            return cls(np.where(known, ticks, 0) * unit, known)
        if ticks.dtype == np.int64 and not pt.is_decimal(kind):
            known = known & (np.abs(ticks) <= _LARGEST)
            return cls(np.where(known, ticks, 0), known)
        numbers = ticks.astype(np.float64)
        if pt.is_decimal(kind) and is_whole(kind):
            numbers = numbers / 10.0**kind.scale
        known = known & np.isfinite(numbers)
        return cls(np.where(known, numbers, 0.0), known)

    def array(self, kind: pa.DataType, decimals: int | None) -> pa.Array:
        """The column of a type, rounded to so many decimals, or as they are; null where unknown."""
        missing = None if self.known.all() else ~self.known
        if pt.is_boolean(kind):
            return pa.array(self.numbers != 0, mask=missing)
        numbers = np.where(self.known, self.numbers, 0)
        if pt.is_temporal(kind):
            unit = unit_ns(kind)
            return from_ticks(np.floor_divide(_whole(numbers), unit), kind, missing)
        if pt.is_decimal(kind) and is_whole(kind):
            return from_ticks(_whole(numbers * 10.0**kind.scale), kind, missing)
        if decimals is not None and numbers.dtype != np.int64:
            numbers = np.round(numbers, decimals) + 0.0
        if is_whole(kind):
            numbers = _whole(numbers)
        return from_ticks(numbers, kind, missing)


def without(array: pa.Array, where: np.ndarray) -> pa.Array:
    """An array of any type with null for the rows of a mask (B,)."""
    return array.take(pa.array(np.arange(len(array)), mask=where))


def instead(array: pa.Array, other: pa.Array, where: np.ndarray) -> pa.Array:
    """An array of any type with another's values for the rows of a mask (B,)."""
    places = np.arange(len(array)) + np.where(where, len(array), 0)
    return pa.concat_arrays([array, other]).take(pa.array(places))


def _whole(numbers: np.ndarray) -> np.ndarray:
    if numbers.dtype == np.int64:
        return numbers
    return np.asarray(np.rint(np.clip(numbers, -(2.0**62), 2.0**62))).astype(np.int64)


def unit_ns(kind: pa.DataType) -> int:
    """How many nanoseconds a tick of a temporal type stands for."""
    if pt.is_date(kind):
        return DAY_NS if pt.is_date32(kind) else 10**6
    return _UNIT_NS[kind.unit]


def has_values(kind: pa.DataType) -> bool:
    """Whether formulas can be about columns of a type."""
    return family_of(kind) in (Family.NUMBER, Family.BOOLEAN)


def is_moment(kind: pa.DataType) -> bool:
    """Whether a type holds points in time."""
    return bool(pt.is_timestamp(kind) or pt.is_date(kind))


def is_span(kind: pa.DataType) -> bool:
    """Whether a type holds lengths of time."""
    return bool(pt.is_duration(kind))
