"""The types that Delta and Iceberg tables have, and what stands for those that they lack."""

import pyarrow as pa

_SIGNED = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
}


def stored(schema: pa.Schema, kind: str) -> pa.Schema:
    """A schema that a table of a kind, `delta` or `iceberg`, can have.

    Every value is kept but the nanoseconds of moments and the zone in which they are shown. Where
    there is no such type at all, durations become whole numbers of their unit, times of day and
    decimals of over 38 digits become text.
    """
    return pa.schema([field.with_type(_stored(field.type, kind)) for field in schema])


def _stored(kind: pa.DataType, table: str) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _stored(kind.value_type, table)
    if table == "iceberg" and pa.types.is_integer(kind) and kind.bit_width < 32:
        return pa.int32()
    if kind in _SIGNED:
        return _SIGNED[kind]
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_time(kind):
        return pa.time64("us") if table == "iceberg" else pa.string()
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_decimal(kind) and kind.precision > 38:
        return pa.string()
    if pa.types.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pa.string()
    return kind


def changes(schema: pa.Schema, wanted: pa.Schema) -> str:
    """Which columns have another type in a table, in words; empty where none has."""
    return ", ".join(
        f"{old.name} as {new.type} (it was {old.type})"
        for old, new in zip(schema, wanted, strict=True)
        if _plain(old.type) != new.type
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type of a dictionary's words."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def as_stored(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """A table with the types of a schema that `stored` gave."""
    columns = [
        column.cast(field.type, safe=not pa.types.is_timestamp(field.type))
        for column, field in zip(table.columns, wanted, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=wanted)
