"""Rows as bodies of responses: which media types there are, which one a client likes best."""

import re
from collections.abc import Mapping
from datetime import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.types as pt

from gtcoder.table.types import Family, family_of, in_type
from gtcoder.table.writers import (
    ArrowWriter,
    CsvWriter,
    JsonWriter,
    NdjsonWriter,
    ParquetWriter,
    Writer,
)

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"


WRITERS: Mapping[str, type[Writer]] = {
    JSON: JsonWriter,
    NDJSON: NdjsonWriter,
    CSV: CsvWriter,
    ARROW: ArrowWriter,
    PARQUET: ParquetWriter,
}


def chosen(accept: str | None, offered: list[str]) -> str | None:
    """The media type of those offered that an Accept header likes best, or None if it likes none.

    The first offered wins a tie.
    """
    best, best_share = None, 0.0
    ranges = [_media_range(text) for text in (accept or "*/*").split(",")]
    for media in offered:
        fitting = [(precision, q) for kind, precision, q in ranges if _fits(kind, media)]
        share = max(fitting)[1] if fitting else 0.0
        if share > best_share:
            best, best_share = media, share
    return best


def _media_range(text: str) -> tuple[str, int, float]:
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    try:
        q = float(next((p[2:] for p in parameters if p.startswith("q=")), "1"))
    except ValueError:
        q = 0.0
    return kind, (kind != "*/*") + (not kind.endswith("/*")), q


def _fits(kind: str, media: str) -> bool:
    return kind in ("*/*", media) or (kind.endswith("/*") and media.startswith(kind[:-1]))


_WHOLE = re.compile(r"\s*([+-]?\d{1,20})(?:\.0*)?\s*", re.ASCII)
"""A whole number, also as pandas writes it into a column with gaps."""
_UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)
"""What is raised where values do not convert."""
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


def to_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Records as a table with the columns and, where they convert, the types of a schema.

    Numbers and truth values may be texts, as CSV files have them: each digit counts then.

    Raises:
        ValueError: a column is unknown, or its values are not of its type; the message names it.
    """
    unknown = {name for row in rows for name in row} - set(schema.names)
    if unknown:
        name = min(unknown)
        raise ValueError(f"no column {name!r}; there are: {', '.join(schema.names)}")
    return pa.table(
        [_to_column([row.get(field.name) for row in rows], field) for field in schema],
        schema=schema,
    )


def _to_column(values: list[Any], field: pa.Field) -> pa.Array:
    kind = field.type.value_type if pt.is_dictionary(field.type) else field.type
    try:
        return _converted(values, field.type, kind)
    except _UNFIT as error:
        row = next((at for at, v in enumerate(values, 1) if not _fits_type(v, field.type, kind)), 0)
        raise ValueError(
            f"column {field.name!r}: expected values of type {kind}; mend the value "
            f"of row {row:,}, or leave it missing"
        ) from error


def _fits_type(value: Any, whole: pa.DataType, kind: pa.DataType) -> bool:
    try:
        _converted([value], whole, kind)
    except _UNFIT:
        return False
    return True


def _converted(values: list[Any], whole: pa.DataType, kind: pa.DataType) -> pa.Array:
    """Values in a column's type, `whole`, whose values are of a `kind`."""
    if pt.is_floating(kind):
        plain = pa.array(np.array([np.nan if v is None else v for v in values], np.float64))
        return pc.if_else(pc.is_nan(plain), None, plain).cast(whole)
    if pt.is_time(kind):
        times = [None if v is None else time.fromisoformat(v) for v in values]
        return pa.array(times, kind)
    if family_of(kind) is Family.BINARY:
        return pa.array([None if v is None else bytes.fromhex(v) for v in values], whole)
    if pt.is_decimal(kind) or pt.is_temporal(kind):
        values = [None if v is None else str(v) for v in values]
        texts = pa.array(values, pa.string())
        return texts.cast(pa.int64()).cast(kind) if pt.is_duration(kind) else texts.cast(kind)
    if pt.is_integer(kind) or pt.is_boolean(kind):
        values = [_from_text(v, kind) if isinstance(v, str) else v for v in values]
        if pt.is_integer(kind) and any(isinstance(v, float) and v != int(v) for v in values):
            raise ValueError("no whole number")  # which Arrow would cut
    return in_type(pa.array(values, kind), whole)


def _from_text(text: str, kind: pa.DataType) -> int | bool:
    found = _WHOLE.fullmatch(text)
    if pt.is_integer(kind) and found:
        return int(found[1])
    if pt.is_integer(kind) or text.strip().lower() not in _FLAGS:
        raise ValueError("neither a whole number nor true or false")
    return _FLAGS[text.strip().lower()]
