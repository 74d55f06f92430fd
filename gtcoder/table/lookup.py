"""Categories in the type in which they are looked up and written down: text, booleans or ticks."""

from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from gtcoder.table.ticks import from_ticks, plain_values, to_ticks
from gtcoder.table.types import Family, family_of, is_text, value_type


def lookup_type(arrow_type: pa.DataType) -> pa.DataType:
    """The type in which categories are looked up and written: text, booleans, or ticks."""
    kind = value_type(arrow_type)
    if is_text(kind):
        return pa.string()
    if pt.is_boolean(kind):
        return pa.bool_()
    return pa.array(to_ticks(pa.nulls(0, kind))).type


def to_plain(values: pa.Array) -> list[Any]:
    """Values in a lookup type as JSON holds them: infinities, which it lacks, as words."""
    return [str(v) if v in (float("inf"), -float("inf")) else v for v in values.to_pylist()]


def from_plain(plain: list[Any], arrow_type: pa.DataType) -> pa.Array:
    """The inverse of `to_plain` for a column's type."""
    kind = lookup_type(arrow_type)
    if pt.is_floating(kind):
        plain = [None if value is None else float(value) for value in plain]
    return pa.array(plain, kind)


def as_lookup(array: pa.Array, column_type: pa.DataType) -> pa.Array:
    """An array of the column's type, or already of its lookup type, in its lookup type."""
    plain = plain_values(array)
    if family_of(plain.type) is not Family.NUMBER or plain.type == lookup_type(column_type):
        return plain
    missing = plain.is_null().to_numpy(zero_copy_only=False) if plain.null_count else None
    return pa.array(to_ticks(plain), mask=missing, from_pandas=True)


def from_lookup(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """The inverse of `as_lookup`, in the type `kind` (a dictionary's value type)."""
    if family_of(kind) is Family.NUMBER:
        return from_ticks(values.to_numpy(), kind)
    return values.cast(kind)
