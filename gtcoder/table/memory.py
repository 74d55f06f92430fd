"""What callers in Python hand over, made into what the library works with."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from gtcoder.errors import TableError


class ArrowStream(Protocol):
    """A table of polars, DuckDB or any other library that hands out Arrow's C stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The stream, in a capsule."""


Columns = Mapping[str, Sequence[Any]]
Records = Sequence[Mapping[str, Any]]
TableLike: TypeAlias = pd.DataFrame | pa.Table | ArrowStream | Columns | Records
"""A table in memory."""
_EXPECTED = (
    "expected a pandas DataFrame, an Arrow table or one of polars or DuckDB, a dict of columns or "
    "a list of dicts"
)


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """A table in memory that is read as a located one is."""

    uri: str
    """How it is called in messages."""
    table: pa.Table
    unread: tuple[str, ...] = ()
    """None of its columns."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self.table.schema.remove_metadata()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.table)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """All rows of some columns."""
        yield self.table.select(list(columns))


def to_arrow(table: TableLike) -> pa.Table:
    """A table in memory as Arrow; a DataFrame's index is left out, its columns' names are text.

    Raises:
        TableError: it is none, two columns share a name, or a column holds several types.
    """
    if not isinstance(table, pd.DataFrame | pd.Series) and hasattr(table, "__arrow_c_stream__"):
        try:
            arrow = pa.table(table)
        except pa.ArrowException as error:
            raise TableError(f"{_EXPECTED}; found {type(table).__name__}: {error}") from error
        _no_twins(arrow.column_names)
        return arrow
    frame = _frame(table)
    _no_twins([str(name) for name in frame.columns])
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        said = "; ".join(map(str, error.args))
        raise TableError(
            f"the table does not convert to Arrow: {said}; give each column one type, or drop it"
        ) from error


def index_left_out(table: object) -> str:
    """A line about a DataFrame's index that looks like a column; nothing where there is none."""
    if not isinstance(table, pd.DataFrame):
        return ""
    named = [str(name) for name in table.index.names if name not in (None, "index")]
    if not named and (table.index.nlevels == 1 and pd.api.types.is_integer_dtype(table.index)):
        return ""
    called = f" {', '.join(map(repr, named))}" if named else ""
    return f"the table's index{called} is not learned; reset_index() makes it a column"


def _frame(table: object) -> pd.DataFrame:
    """A DataFrame of whatever is one by another name.

    Raises:
        TableError: it is none; the message says what would be.
    """
    if isinstance(table, pd.DataFrame):
        if table.columns.nlevels > 1:
            raise TableError(
                f"the columns' names have {table.columns.nlevels} levels; expected one: set "
                'df.columns = ["_".join(map(str, name)) for name in df.columns]'
            )
        return table
    if isinstance(table, Mapping) or _is_records(table):
        try:
            return pd.DataFrame(table)
        except ValueError as error:
            raise TableError(f"{_EXPECTED}; found columns that make none: {error}") from error
    raise TableError(_cure(table) or f"{_EXPECTED}; found {type(table).__name__}")


def _is_records(table: object) -> bool:
    return isinstance(table, list) and all(isinstance(row, Mapping) for row in table)


def _cure(table: object) -> str:
    """What makes a table of something that is often handed over in its place."""
    match table:
        case str() | os.PathLike():
            return (
                f"expected a table, found where one is: read {str(table)!r} with pd.read_parquet "
                "or pd.read_csv; the command `gtcoder train` reads files of any size"
            )
        case np.ndarray():
            return (
                "expected a table, found an array, whose columns have no names: give "
                "pd.DataFrame(array, columns=[...])"
            )
        case pd.Series():
            return "expected a table, found one column: give series.to_frame()"
        case list() | tuple():
            return (
                "expected a table, found rows whose columns have no names: give "
                "pd.DataFrame(rows, columns=[...])"
            )
    return ""


def _no_twins(names: list[str]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise TableError(f"column {twice!r} is there twice; rename or drop one of them")
