"""Uniform samples of tables of any size, read in a stream, with one schema."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.errors import SchemaError, TableError
from gtcoder.table.memory import MemoryTable
from gtcoder.table.table import Table
from gtcoder.table.types import Family, family_of

FEWEST_ROWS = 50
"""Fewer rows say nothing about a table."""


def check_columns(
    real: Table | MemoryTable, other: Table | MemoryTable, exclude: Iterable[str] = ()
) -> None:
    """See that two tables can be compared.

    Raises:
        SchemaError: they do not have the same columns, or one has types that do not go together.
    """
    left_out = set(exclude)
    for name in left_out - {*real.schema.names, *real.unread}:
        raise SchemaError(f"`exclude={[name]!r}`: no such column in {real.uri}")
    for one, two in ((real, other), (other, real)):
        for name in one.schema.names:
            if name not in two.schema.names and name not in left_out:
                raise SchemaError(
                    f"column {name!r} of {one.uri} is missing from {two.uri}; add it there, or "
                    f"leave it out with `exclude={[name]!r}`"
                )
    for name in set(real.schema.names) - left_out:
        kinds = [table.schema.field(name).type for table in (real, other)]
        if not _comparable(*kinds):
            raise SchemaError(
                f"column {name!r} has type {kinds[0]} in {real.uri} but {kinds[1]} in {other.uri}; "
                "write both with one type"
            )


def sample_rows(
    table: Table | MemoryTable,
    schema: pa.Schema,
    *,
    rows: int,
    rng: np.random.Generator,
    fewest: int = FEWEST_ROWS,
) -> pa.Table:
    """A uniform sample without replacement, in the table's order; all rows if they are few.

    Args:
        table: where to read.
        schema: the columns to read, and the types to give them where they allow it.
        rows: how many rows at most.
        rng: draws them.
        fewest: rows that there must be.

    Raises:
        TableError: there are fewer than that.
    """
    if table.rows < fewest:
        raise TableError(
            f"{table.uri}: expected at least {fewest} rows to measure, found {table.rows}"
        )
    total = table.rows
    chosen = np.arange(total) if total <= rows else _choose(total, rows, rng)
    parts, start = [], 0
    for batch in conformed(table, schema):
        low, high = np.searchsorted(chosen, [start, start + len(batch)])
        if high > low:
            parts.append(batch.take(pa.array(chosen[low:high] - start)))
        start += len(batch)
    return pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()


def independent_columns(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """The table with each column's values in an order of their own."""
    columns = [column.take(pa.array(rng.permutation(len(table)))) for column in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names)


def conformed(table: Table | MemoryTable, schema: pa.Schema) -> Iterator[pa.Table]:
    """The batches of a table, with the schema's columns and, where values allow it, its types."""
    for batch in table.batches(schema.names):
        columns = [_cast(batch[field.name], field, table.uri) for field in schema]
        yield pa.Table.from_arrays(columns, names=schema.names)


def _choose(total: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(total, rows, replace=False, shuffle=False))


def _cast(column: pa.ChunkedArray, field: pa.Field, uri: str) -> pa.ChunkedArray:
    if column.type == field.type or pt.is_null(field.type):
        return column
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        plain = field.type.value_type if pt.is_dictionary(field.type) else field.type
        column = column.cast(plain)
        return column.dictionary_encode() if pt.is_dictionary(field.type) else column
    except pa.ArrowException as error:
        if _is_plain_number(column.type) and _is_plain_number(field.type):
            return pc.cast(column, pa.float64(), safe=False)  # 39.4 years: compared as it is
        raise SchemaError(
            f"column {field.name!r} of {uri} has values that {field.type}, its type in the real "
            f"table, cannot hold: {str(error).splitlines()[0]}"
        ) from error


def _comparable(one: pa.DataType, other: pa.DataType) -> bool:
    families = [_family(one), _family(other)]
    if Family.EMPTY in families:
        return True
    return families[0] == families[1] and pt.is_temporal(one) == pt.is_temporal(other)


def _family(kind: pa.DataType) -> Family:
    return family_of(kind.value_type if pt.is_dictionary(kind) else kind)


def _is_plain_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))
