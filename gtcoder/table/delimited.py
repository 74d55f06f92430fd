"""CSV files as typed Arrow batches.

A CSV file has no types: they are settled by reading it once to its end, so that a value far down
cannot contradict a type guessed from the top.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv

from gtcoder.table.files import open_read

_BLOCK_BYTES = 4 << 20
_DELIMITERS = ",;\t|"
_MISFIT = re.compile(
    r"In CSV column #(?P<column>\d+): .*CSV conversion error to .*: invalid value '(?P<value>.*)'",
    re.DOTALL,
)


def read_csv(
    path: str, types: pa.Schema, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """A CSV file's batches with the types of `settle`.

    Raises:
        pyarrow.ArrowInvalid: it is not CSV, or a value does not fit its type.
    """
    with _opened(path, types, columns) as reader:
        yield from reader


def settle(path: str) -> tuple[pa.Schema, int]:
    """The types that all of a CSV file's values fit, and its number of rows.

    Raises:
        pyarrow.ArrowInvalid: it is not CSV.
    """
    with _opened(path) as reader:
        schema = reader.schema
    while True:
        try:
            return schema, sum(batch.num_rows for batch in read_csv(path, schema))
        except pa.ArrowInvalid as error:
            schema = _widened(schema, error)


def _widened(schema: pa.Schema, error: pa.ArrowInvalid) -> pa.Schema:
    """The schema once a value was met that does not fit it; the error again if it never can."""
    misfit = _MISFIT.search(str(error))
    if misfit is None or pa.types.is_string(schema.field(int(misfit["column"])).type):
        raise error
    index = int(misfit["column"])
    field = schema.field(index)
    kinds = {field.type, _guess(misfit["value"])} - {pa.null()}
    if len(kinds) == 1 and pa.types.is_null(field.type):
        return schema.set(index, field.with_type(kinds.pop()))
    if kinds <= {pa.int64(), pa.float64()}:
        return schema.set(index, field.with_type(pa.float64()))
    if kinds <= {pa.date32(), pa.timestamp("s"), pa.timestamp("ns")}:
        finest = pa.timestamp("ns") if pa.timestamp("ns") in kinds else pa.timestamp("s")
        return schema.set(index, field.with_type(finest))
    return schema.set(index, field.with_type(pa.string()))


def _guess(value: str) -> pa.DataType:
    """The type of one value on its own."""
    quoted = value.replace('"', '""')
    table = pa.csv.read_csv(io.BytesIO(f'x\n"{quoted}"\n'.encode()))
    return table.schema.field(0).type


@contextmanager
def _opened(
    path: str, types: pa.Schema | None = None, columns: list[str] | None = None
) -> Iterator[pa.csv.CSVStreamingReader]:
    """A reader; types that are not given are guessed from the first block.

    Empty fields and the usual spellings of nothing (NA, null, NaN, …) are null.
    """
    delimiter = _delimiter(path)
    with _plain(path) as file:
        yield pa.csv.open_csv(
            file,
            read_options=pa.csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=types, include_columns=columns, strings_can_be_null=True
            ),
        )


@contextmanager
def _plain(path: str) -> Iterator[Any]:
    """The file's bytes, decompressed."""
    with open_read(path) as file:
        if path.lower().endswith(".gz"):
            with pa.CompressedInputStream(pa.PythonFile(file), "gzip") as unpacked:
                yield unpacked
        else:
            yield file


def _delimiter(path: str) -> str:
    """The separator that the header line has most of."""
    with _plain(path) as file:
        header = bytes(file.read(1 << 16)).split(b"\n", 1)[0].decode(errors="replace")
    return max(_DELIMITERS, key=header.count)
