"""The sketches of all columns of a table, made in one streaming pass and merged in any order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import pyarrow as pa

from gtcoder.errors import TableError
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.rows import RowSample


@dataclass(frozen=True, slots=True)
class TableSketch:
    """The sketches of a table's columns, by name in the table's order."""

    columns: Mapping[str, ColumnSketch]
    rows: int
    sample: RowSample
    """Some of its distinct rows."""

    @classmethod
    def of(cls, table: pa.Table | pa.RecordBatch) -> Self:
        """The sketch of one part of a table."""
        names = table.schema.names
        columns = {name: ColumnSketch.of(table.column(at)) for at, name in enumerate(names)}
        return cls(columns, table.num_rows, RowSample.of(table))

    def merge(self, other: Self) -> Self:
        """The sketch of both parts together.

        Raises:
            TableError: the parts have different columns or types.
        """
        for name in (*self.columns, *other.columns):
            here, there = self.columns.get(name), other.columns.get(name)
            if here is None or there is None or not here.type.equals(there.type):
                found = [str(side.type) if side else "nothing" for side in (here, there)]
                raise TableError(
                    f"column {name!r}: expected the same type in every part of the table, found "
                    f"{found[0]} in one and {found[1]} in another; rewrite the part that differs"
                )
        merged = {name: here.merge(other.columns[name]) for name, here in self.columns.items()}
        return type(self)(merged, self.rows + other.rows, self.sample.merge(other.sample))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The sketch of one part or more together."""
        return reduce(cls.merge, parts)

    def to_dict(self) -> dict[str, Any]:
        """Counts only, as plain JSON values: no value of the table."""
        return {
            "rows": self.rows,
            "columns": {
                name: {
                    "type": str(c.type),
                    "nulls": c.nulls,
                    "nans": c.nans,
                    "distinct": c.distinct,
                }
                for name, c in self.columns.items()
            },
        }
