"""What Arrow's types let us do with a column: numbers, categories, text, or nothing."""

from enum import StrEnum

import pyarrow as pa
import pyarrow.types as pt

LONG_DECIMAL_DIGITS = 18
"""Unscaled decimals of up to so many digits fit an int64."""


class Family(StrEnum):
    """What a column's Arrow type lets us do with it."""

    BOOLEAN = "boolean"
    NUMBER = "number"
    TEXT = "text"
    BINARY = "binary"
    CATEGORY = "category"
    EMPTY = "empty"
    UNSUPPORTED = "unsupported"


def family_of(arrow_type: pa.DataType) -> Family:
    """The family of an Arrow type; a dictionary is a category whatever it holds."""
    if pt.is_dictionary(arrow_type):
        inner = family_of(arrow_type.value_type)
        return Family.CATEGORY if inner in _DICTIONARY_VALUES else Family.UNSUPPORTED
    if pt.is_boolean(arrow_type):
        return Family.BOOLEAN
    if pt.is_integer(arrow_type) or pt.is_floating(arrow_type) or pt.is_decimal(arrow_type):
        return Family.NUMBER
    if pt.is_interval(arrow_type):
        return Family.UNSUPPORTED
    if pt.is_temporal(arrow_type):
        return Family.NUMBER
    if is_text(arrow_type):
        return Family.TEXT
    if _is_binary(arrow_type):
        return Family.BINARY
    return Family.EMPTY if pt.is_null(arrow_type) else Family.UNSUPPORTED


_DICTIONARY_VALUES = frozenset({Family.TEXT, Family.NUMBER, Family.BOOLEAN})


def is_text(arrow_type: pa.DataType) -> bool:
    """Whether the type holds UTF-8 text, in any of Arrow's three layouts."""
    return bool(
        pt.is_string(arrow_type) or pt.is_large_string(arrow_type) or pt.is_string_view(arrow_type)
    )


def _is_binary(arrow_type: pa.DataType) -> bool:
    return bool(
        pt.is_binary(arrow_type)
        or pt.is_large_binary(arrow_type)
        or pt.is_fixed_size_binary(arrow_type)
        or pt.is_binary_view(arrow_type)
    )


def flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def in_type(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """An array in another type; plain values go into a dictionary's, which Arrow alone refuses.

    Raises:
        pa.ArrowException: its values do not convert.
    """
    if pt.is_dictionary(kind) and not pt.is_dictionary(array.type):
        array = array.cast(kind.value_type).dictionary_encode()
    return array.cast(kind)


def is_whole(arrow_type: pa.DataType) -> bool:
    """Whether the type's ticks are int64 (and so on a lattice by nature)."""
    if pt.is_decimal(arrow_type):
        return bool(arrow_type.precision <= LONG_DECIMAL_DIGITS)
    return not (pt.is_floating(arrow_type) or pt.is_uint64(arrow_type))


def value_type(arrow_type: pa.DataType) -> pa.DataType:
    """The type of a dictionary's values, or the type itself."""
    return arrow_type.value_type if pt.is_dictionary(arrow_type) else arrow_type
