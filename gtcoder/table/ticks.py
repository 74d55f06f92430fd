"""A column's values as numbers, and back: the only module that knows Arrow's memory layout.

Whole numbers, dates, times and decimals of up to 18 digits become int64 ticks (days, nanoseconds,
unscaled decimals); floats, uint64 and wider decimals become float64 ticks, exact up to 2**53.
Both directions are vectorised and copy as little as they can.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.table.types import LONG_DECIMAL_DIGITS, is_text


def to_ticks(array: pa.Array) -> np.ndarray:
    """The ticks of an array, int64 or float64 (B,); whatever stands under nulls is meaningless."""
    kind = array.type
    if pt.is_decimal(kind):
        return _decimal_ticks(array)
    if pt.is_uint64(kind):
        return raw(array, np.dtype(np.uint64)).astype(np.float64)
    if pt.is_floating(kind):
        return raw(array, _numpy_type(kind)).astype(np.float64, copy=False)
    return raw(array, _numpy_type(kind)).astype(np.int64, copy=False)


def raw(array: pa.Array, dtype: np.dtype, words: int = 1) -> np.ndarray:
    """The array's data buffer as numpy, (B,) or (B, words), without a copy."""
    shape = (len(array), words) if words > 1 else (len(array),)
    if len(array) == 0:
        return np.empty(shape, dtype)
    start = array.offset * words
    values = np.frombuffer(array.buffers()[1], dtype)[start : start + len(array) * words]
    return values.reshape(shape)


def _numpy_type(kind: pa.DataType) -> np.dtype:
    if pt.is_integer(kind) or pt.is_floating(kind):
        return np.dtype(kind.to_pandas_dtype())
    return np.dtype(np.int32 if kind.bit_width == 32 else np.int64)


def _decimal_ticks(array: pa.Array) -> np.ndarray:
    if array.type.precision > LONG_DECIMAL_DIGITS:
        return _wide_decimal_ticks(array)
    if array.type.bit_width == 32:
        return raw(array, np.dtype(np.int32)).astype(np.int64)
    words = array.type.bit_width // 64
    unscaled = raw(array, np.dtype(np.int64), words)
    return unscaled if words == 1 else np.ascontiguousarray(unscaled[:, 0])


def _wide_decimal_ticks(array: pa.Array) -> np.ndarray:
    """The nearest float64 of each decimal: Arrow's own cast is off in the last digit.

    An unscaled value of up to 53 bits over a power of ten that float64 holds exactly is rounded
    once, as it should be; the others, which are few, go through their text.
    """
    words = raw(array, np.dtype(np.int64), array.type.bit_width // 64)
    unscaled, scale = np.ascontiguousarray(words[:, 0]), array.type.scale
    small = (words[:, 1:] == (unscaled >> 63)[:, None]).all(1) & (np.abs(unscaled) <= 2**53)
    small &= 0 <= scale <= _EXACT_POWER
    ticks = unscaled / 10.0 ** min(max(scale, 0), _EXACT_POWER)
    wide = ~small & ~array.is_null().to_numpy(zero_copy_only=False)
    if wide.any():
        texts = array.filter(pa.array(wide)).cast(pa.string())
        ticks[wide] = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return ticks


_EXACT_POWER = 22
"""Powers of ten up to this are exact in float64."""


def from_ticks(
    ticks: np.ndarray, kind: pa.DataType, missing: np.ndarray | None = None, decimals: int = 0
) -> pa.Array:
    """The array of `kind` whose ticks are `ticks` (B,) / 10**decimals, null where `missing` (B,).

    Values outside the type's range are clipped to it.
    """
    if pt.is_decimal(kind):
        return _decimal_array(ticks, kind, missing, decimals)
    if decimals:
        ticks = ticks / 10.0**decimals
    dtype = _numpy_type(kind)
    if dtype.kind in "iu":
        ticks = _clip_whole(ticks, dtype)
    array = pa.array(ticks.astype(dtype, copy=False), mask=missing, from_pandas=False)
    return array if array.type.equals(kind) else array.view(kind)


def _clip_whole(ticks: np.ndarray, dtype: np.dtype) -> np.ndarray:
    limits = np.iinfo(dtype)
    if ticks.dtype == np.int64:
        low, high = max(limits.min, -(2**63)), min(limits.max, 2**63 - 1)
        return ticks if dtype == np.int64 else np.clip(ticks, low, high)
    return np.clip(ticks, float(limits.min), np.nextafter(float(limits.max), 0.0))


def _decimal_array(
    ticks: np.ndarray, kind: pa.DataType, missing: np.ndarray | None, decimals: int
) -> pa.Array:
    if kind.precision <= LONG_DECIMAL_DIGITS:
        limit = 10**kind.precision - 1
        return _unscaled_array(np.clip(ticks, -limit, limit), kind, missing)
    if ticks.dtype == np.int64:
        return _unscaled_array(ticks, pa.decimal128(38, decimals), missing).cast(kind)
    limit = np.nextafter(10.0 ** (kind.precision - kind.scale), 0.0)
    floats = pa.array(np.clip(ticks, -limit, limit), mask=missing, from_pandas=False)
    return floats.cast(kind, safe=False)


def _unscaled_array(
    unscaled: np.ndarray, kind: pa.DataType, missing: np.ndarray | None
) -> pa.Array:
    valid = None if missing is None else pa.array(~missing).buffers()[1]
    if kind.bit_width <= 64:
        data = unscaled.astype(np.int32 if kind.bit_width == 32 else np.int64)
    else:
        data = np.empty((len(unscaled), kind.bit_width // 64), np.int64)
        data[:, 0] = unscaled
        data[:, 1:] = (unscaled >> 63)[:, None]
    return pa.Array.from_buffers(kind, len(unscaled), [valid, pa.py_buffer(data)])


def printable(array: pa.Array) -> pa.Array:
    """The values as JSON can hold them: dates, times and decimals as text."""
    if pt.is_duration(array.type):
        return array.cast(pa.int64())
    return (
        array.cast(pa.string())
        if pt.is_temporal(array.type) or pt.is_decimal(array.type)
        else array
    )


def take(values: pa.Array, places: np.ndarray) -> pa.Array:
    """The values at `places` (B,), in their own type; Arrow cannot take from string views."""
    if pt.is_string_view(values.type):
        return values.cast(pa.string()).take(pa.array(places)).cast(values.type)
    return values.take(pa.array(places))


def plain_values(array: pa.Array) -> pa.Array:
    """A categorical array's values in a layout Arrow can count: decoded, 32-bit offsets."""
    if pt.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_text(array.type) and not pt.is_string(array.type):
        array = array.cast(pa.string())
    return pc.cast(array, pa.float32()) if pt.is_float16(array.type) else array
