"""Rows that are sent to the service, and what it tells of them."""

import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.errors import TableError
from gtcoder.table.memory import TableLike, to_arrow
from gtcoder.table.types import Family, family_of, flat, in_type
from gtcoder.table.writers import json_lines

_SINGLE = "surprise_"
"""How the names of scores begin that the library tells in single precision."""


def body_of(table: TableLike, schema: pa.Schema, **more: Any) -> dict[str, Any]:
    """What a request with rows is sent with: each value of a model's columns exactly, as JSON.

    Args:
        table: rows; columns that the model lacks are left out.
        schema: of the model's rows.
        **more: the request's other fields.

    Raises:
        TableError: it is no table, or a column's values do not convert.
    """
    arrow = to_arrow(table)
    there = [field for field in schema if field.name in arrow.column_names]
    cells = {field.name: _sent(arrow.column(field.name), field) for field in there}
    lines = json_lines(pa.table(cells)).to_pylist() if cells else ["{}"] * len(arrow)
    others = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in more.items())
    content = f'{{"rows":[{",".join(lines)}]{others}}}'
    return {"content": content.encode(), "headers": {"Content-Type": "application/json"}}


def _sent(column: pa.ChunkedArray, field: pa.Field) -> pa.Array:
    """The column in the model's type, by which the service reads it; decimals as exact texts.

    Texts in place of whole numbers ("5.0") and of times of day are the service's to read.
    """
    array = flat(column)
    if (pt.is_integer(field.type) or pt.is_time(field.type)) and family_of(
        array.type
    ) is Family.TEXT:
        return array
    try:
        array = in_type(array, field.type)
    except pa.ArrowException as error:
        raise TableError(
            f"column {field.name!r}: expected {field.type}, found {column.type} that does not "
            "convert; cast the column in the table"
        ) from error
    return array.cast(pa.string()) if pt.is_decimal(field.type) else array


def index_of(table: TableLike, rows: int) -> pd.Index:
    """The index of what is told of a table's rows."""
    return table.index if isinstance(table, pd.DataFrame) else pd.RangeIndex(rows)


def told_scores(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Scores as `Synthesizer.score` tells them."""
    flat_records = [
        {name: value for name, value in record.items() if name != "surprises"}
        | {f"surprise_{name}": nats for name, nats in record.get("surprises", {}).items()}
        for record in records
    ]
    frame = pd.DataFrame(flat_records)
    numbers = [name for name in frame.columns if name != "most_surprising"]
    return frame.astype(
        {name: "float32" if name.startswith(_SINGLE) else "float64" for name in numbers}
    )
