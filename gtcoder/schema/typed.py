"""Columns' types as a user sets them: a zip code that was read as a number is text."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from gtcoder.errors import SchemaError
from gtcoder.table.types import is_text


def wanted_types(plain: Mapping[str, Any], found: pa.Schema) -> dict[str, pa.DataType]:
    """The types that a schema's settings give to columns of a table, where they are others.

    Args:
        plain: `{"columns": {"zip": {"type": "string"}}}`.
        found: the table's types.

    Raises:
        SchemaError: there is no such type.
    """
    settings = plain.get("columns")
    wanted: dict[str, pa.DataType] = {}
    for name, setting in settings.items() if isinstance(settings, Mapping) else ():
        word = setting.get("type") if isinstance(setting, Mapping) else None
        if word is None or name not in found.names or word == str(found.field(name).type):
            continue
        try:
            kind = pa.type_for_alias(str(word))
        except ValueError:
            raise SchemaError(
                f"column {name!r}: expected a type such as string, int64, double, bool, date32 or "
                f"timestamp[ms]; found {word!r}"
            ) from None
        if not (is_text(kind) and is_text(found.field(name).type)):
            wanted[name] = kind
    return wanted


def retyped(found: pa.Schema, wanted: Mapping[str, pa.DataType]) -> pa.Schema:
    """A schema with other types of some columns."""
    fields = [f.with_type(wanted[f.name]) if f.name in wanted else f for f in found]
    return pa.schema(fields, found.metadata if not wanted else None)


def cast(table: pa.Table, plain: Mapping[str, Any]) -> pa.Table:
    """A table in memory with the types that a schema's settings give.

    Raises:
        SchemaError: there is no such type, or a column's values do not go into it.
    """
    wanted = wanted_types(plain, table.schema)
    for name, kind in wanted.items():
        at = table.schema.get_field_index(name)
        try:
            column = table.column(at).cast(kind)
        except pa.ArrowException as error:
            said = str(error).splitlines()[0]
            raise SchemaError(f"column {name!r} does not convert to {kind}: {said}") from error
        table = table.set_column(at, table.schema.field(at).with_type(kind), column)
    return table
