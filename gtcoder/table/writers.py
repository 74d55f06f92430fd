"""Tables as bytes, piece by piece: JSON, a JSON object a line, CSV, Arrow IPC stream, Parquet.

Text is made column by column in Arrow: a value that comes often is written once.
"""

import codecs
import io
import json
from functools import lru_cache
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pyarrow.types as pt

from gtcoder.table.delimited.csv_format import CsvFormat

_ORDERS = {"dmy": "%d.%m.%Y", "mdy": "%m/%d/%Y"}
"""How dates are written that do not begin with the year."""
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
    """Separated values with a header; what is missing is empty.

    As the RFC has it, or as the files were written that a table was read from: their separator,
    decimal sign, order of day and month, and encoding.
    """

    def __init__(self, schema: pa.Schema, form: CsvFormat | None = None) -> None:
        self._form = form or CsvFormat()
        self._empty = pa.table({name: pa.array([], pa.string()) for name in schema.names})
        self._begun = False

    def rows(self, table: pa.Table) -> bytes:
        """Lines, the header first."""
        plain = {name: self._column(table[name]) for name in table.column_names}
        return self._written(pa.table(plain))

    def end(self) -> bytes:
        """The header, if there were no rows."""
        return b"" if self._begun else self._written(self._empty)

    def _column(self, column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
        order = _ORDERS.get(self._form.dates or "")
        if order and (pt.is_date(column.type) or pt.is_timestamp(column.type)):
            clock = "" if pt.is_date(column.type) else " %H:%M:%S"
            return pc.strftime(column, order + clock)
        plain = _csv_column(column)
        if self._form.decimal == "," and (pt.is_floating(plain.type) or pt.is_decimal(plain.type)):
            return pc.replace_substring(plain.cast(pa.string()), ".", ",")
        return plain

    def _written(self, table: pa.Table) -> bytes:
        buffer = io.BytesIO()
        options = pa.csv.WriteOptions(
            include_header=not self._begun, delimiter=self._form.sep or ","
        )
        pa.csv.write_csv(table, buffer, options)
        self._begun = True
        encoding = self._form.encoding or "utf-8"
        if codecs.lookup(encoding).name == "utf-8":
            return buffer.getvalue()
        return buffer.getvalue().decode().encode(encoding, errors="replace")


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
