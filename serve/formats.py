"""Rows as bodies of responses, piece by piece: JSON, NDJSON, CSV, Arrow IPC stream, Parquet.

Text is made column by column in Arrow: a value that comes often is written once.
"""

import io
import json
from collections.abc import Mapping
from datetime import time
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pyarrow.types as pt

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"

_FEW = 200
"""Of fewer values it does not pay to find the distinct ones."""


class Writer(Protocol):
    """Turns tables, one after another, into one body."""

    def __init__(self, schema: pa.Schema) -> None: ...

    def rows(self, table: pa.Table) -> bytes:
        """The bytes of more rows, after those of a beginning if they are the first."""

    def end(self) -> bytes:
        """The bytes that close the body."""


class JsonWriter:
    """An array of records."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema, self._before = schema, "["

    def rows(self, table: pa.Table) -> bytes:
        """Records, with commas between them."""
        if not table.num_rows:
            return b""
        text = self._before + ",\n".join(json_lines(table).to_pylist())
        self._before = ",\n"
        return text.encode()

    def end(self) -> bytes:
        """The closing bracket."""
        return b"[]\n" if self._before == "[" else b"]\n"


class NdjsonWriter:
    """A record a line."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def rows(self, table: pa.Table) -> bytes:
        """Records, each with the end of its line."""
        return "".join(f"{line}\n" for line in json_lines(table).to_pylist()).encode()

    def end(self) -> bytes:
        """Nothing."""
        return b""


class CsvWriter:
    """Comma-separated values with a header; what is missing is empty."""

    def __init__(self, schema: pa.Schema) -> None:
        self._options = pa.csv.WriteOptions(include_header=True)
        self._empty = pa.table({name: pa.array([], pa.string()) for name in schema.names})
        self._begun = False

    def rows(self, table: pa.Table) -> bytes:
        """Lines, the header first."""
        plain = {name: _csv_column(table[name]) for name in table.column_names}
        return self._written(pa.table(plain))

    def end(self) -> bytes:
        """The header, if there were no rows."""
        return b"" if self._begun else self._written(self._empty)

    def _written(self, table: pa.Table) -> bytes:
        buffer = io.BytesIO()
        options = pa.csv.WriteOptions(include_header=not self._begun)
        pa.csv.write_csv(table, buffer, options)
        self._begun = True
        return buffer.getvalue()


class ArrowWriter:
    """An Arrow IPC stream."""

    def __init__(self, schema: pa.Schema) -> None:
        self._out = _Taken()
        self._writer = pa.ipc.new_stream(self._out, schema)

    def rows(self, table: pa.Table) -> bytes:
        """Record batches."""
        self._writer.write_table(table)
        return self._out.take()

    def end(self) -> bytes:
        """The mark of the end."""
        self._writer.close()
        return self._out.take()


class ParquetWriter:
    """A Parquet file, a row group a piece; its footer comes last."""

    def __init__(self, schema: pa.Schema) -> None:
        self._out = _Taken()
        self._schema = pa.schema([f.with_type(_viewless_words(f.type)) for f in schema])
        self._writer = pq.ParquetWriter(
            self._out, self._schema, compression="zstd", compression_level=1
        )

    def rows(self, table: pa.Table) -> bytes:
        """A row group."""
        columns = [_without_view_words(column) for column in table.columns]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        return self._out.take()

    def end(self) -> bytes:
        """The footer."""
        self._writer.close()
        return self._out.take()


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


class _Taken(io.RawIOBase):
    """A file whose content is taken away as it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        """What was written since it was last taken."""
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def json_lines(table: pa.Table) -> pa.Array:
    """Each row as the text of a JSON object: numbers as numbers, moments in ISO 8601."""
    texts: list[Any] = []
    for at, name in enumerate(table.column_names):
        before = ("{" if at == 0 else ",") + json.dumps(name, ensure_ascii=False) + ":"
        texts += [before, _json_column(_whole(table.column(at)))]
    if not texts:
        return pa.array(["{}"] * table.num_rows)
    return pc.binary_join_element_wise(*texts, "}", "")


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) and whole.num_chunks else whole


def _viewless_words(kind: pa.DataType) -> pa.DataType:
    """A dictionary's type with words in a layout that Arrow can decode; any other as it is."""
    if not pt.is_dictionary(kind):
        return kind
    return pa.dictionary(kind.index_type, _viewless(kind.value_type), kind.ordered)


def _without_view_words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column, its dictionary's words in a layout that Arrow can decode, if it has one."""
    kind = _viewless_words(column.type)
    if kind == column.type:
        return column
    chunks = [
        pa.DictionaryArray.from_arrays(
            chunk.indices, chunk.dictionary.cast(kind.value_type), ordered=kind.ordered
        )
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, kind)


def _viewless(kind: pa.DataType) -> pa.DataType:
    """The type in the layout that all of Arrow knows, if it is a view."""
    if pt.is_string_view(kind):
        return pa.string()
    return pa.binary() if pt.is_binary_view(kind) else kind


def _is_binary(kind: pa.DataType) -> bool:
    plain = (pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary, pt.is_binary_view)
    return any(fits(kind) for fits in plain)


def _json_column(array: pa.Array) -> pa.Array:
    """The JSON text of each value."""
    kind = array.type
    if pt.is_dictionary(kind):
        texts = pc.take(_json_column(array.dictionary), array.indices)
    elif pt.is_floating(kind):
        finite = pc.is_finite(array)
        texts = array.cast(pa.float64()).cast(pa.string())
        texts = texts if finite.true_count == len(array) else pc.if_else(finite, texts, None)
    elif pt.is_integer(kind) or pt.is_decimal(kind) or pt.is_boolean(kind):
        texts = array.cast(pa.string())
    elif pt.is_null(kind):
        texts = pa.nulls(len(array), pa.string())
    else:
        texts = _quoted(_text(array))
    return pc.fill_null(texts, "null") if texts.null_count else texts


def _quoted(texts: pa.Array) -> pa.Array:
    """JSON strings; each distinct one is written once."""
    if len(texts) < _FEW:
        return pa.array([_word(word) for word in texts.to_pylist()], pa.string())
    distinct = texts.dictionary_encode()
    words = [_word(word) for word in distinct.dictionary.to_pylist()]
    return pc.take(pa.array(words, pa.string()), distinct.indices)


@lru_cache(1 << 14)
def _word(text: str | None) -> str | None:
    """A JSON string; categories come again in every request."""
    return None if text is None else json.dumps(text, ensure_ascii=False)


def _text(array: pa.Array) -> pa.Array:
    """Values that are no numbers as text."""
    kind = array.type
    if pt.is_timestamp(kind):
        return pc.strftime(array, "%Y-%m-%dT%H:%M:%S" + ("%z" if kind.tz else ""))
    if pt.is_duration(kind):
        return array.cast(pa.int64()).cast(pa.string())
    if _is_binary(kind):
        words = [None if value is None else value.hex() for value in array.to_pylist()]
        return pa.array(words, pa.string())
    return array.cast(pa.string())


def _csv_column(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """A column in a type that the CSV writer knows."""
    kind = column.type
    if pt.is_dictionary(kind):
        column = _without_view_words(column)
        return _csv_column(column.cast(column.type.value_type))
    if pt.is_duration(kind):
        return column.cast(pa.int64())
    if pt.is_float16(kind):
        return column.cast(pa.float32())
    if _is_binary(kind):
        return _text(_whole(column))
    if pt.is_decimal(kind) or pt.is_time(kind) or pt.is_null(kind) or pt.is_string_view(kind):
        return column.cast(pa.string())
    return column


def to_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Records as a table with the columns and, where they convert, the types of a schema.

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
        if pt.is_floating(kind):
            plain = pa.array(np.array([np.nan if v is None else v for v in values], np.float64))
            return pc.if_else(pc.is_nan(plain), None, plain).cast(field.type)
        if pt.is_time(kind):
            times = [None if v is None else time.fromisoformat(v) for v in values]
            return pa.array(times, kind)
        if pt.is_decimal(kind) or pt.is_temporal(kind):
            values = [None if v is None else str(v) for v in values]
            texts = pa.array(values, pa.string())
            return texts.cast(pa.int64()).cast(kind) if pt.is_duration(kind) else texts.cast(kind)
        array = pa.array(values, kind)
        return array.dictionary_encode().cast(field.type) if kind != field.type else array
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"column {field.name!r}: expected values of type {kind}") from error
