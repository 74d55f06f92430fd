"""CSV files as a stream of Arrow batches: read as text, cast by column."""

import codecs
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv

from gtcoder.errors import TableError
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.delimited.evidence import Evidence
from gtcoder.table.delimited.layout import Layout, layout_of, not_encoded
from gtcoder.table.delimited.readings import ALWAYS_NULL, NULL_WORDS, Reading, blanked, parsed
from gtcoder.table.delimited.settle import Plan, Survey
from gtcoder.table.files import open_read

COMPRESSIONS: Mapping[str, str] = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""By the ending of a file's name."""

_BLOCK_BYTES = 4 << 20
_HEAD_BYTES = 1 << 18
_LARGEST_HEADER_BYTES = 1 << 24


def survey(path: str, said: CsvFormat) -> Survey:
    """Look at a CSV file to its end; one with nothing in it has no columns.

    Raises:
        TableError: its rows do not go with its header, or are not of its encoding.
        pyarrow.ArrowInvalid: it is not CSV.
    """
    layout = _layout(path, said)
    columns = {name: Evidence(alive={} if name in said.text else None) for name in layout.names}
    nulls = pa.array(said.null or (), pa.string())
    rows = 0
    if not columns:
        return Survey(path, layout, columns, rows)
    for batch in _texts(path, layout, layout.names):
        rows += batch.num_rows
        for evidence, texts in zip(columns.values(), batch.columns, strict=True):
            evidence.add(texts, nulls)
    return Survey(path, layout, columns, rows)


def read_csv(path: str, plan: Plan, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of a CSV file, with the types of its plan.

    Raises:
        TableError: it is not as it was when it was surveyed.
        pyarrow.ArrowInvalid: it is not CSV any more.
    """
    nulls = pa.array(plan.null, pa.string())
    empty = pa.array([*plan.null] if plan.empty_is_text else [*plan.null, ""], pa.string())
    for batch in _texts(path, plan.layout, columns):
        yield pa.RecordBatch.from_arrays(
            [
                _column(path, name, texts, plan.readings[name], nulls, empty)
                for name, texts in zip(columns, batch.columns, strict=True)
            ],
            names=columns,
        )


def _column(
    path: str, name: str, texts: pa.Array, reading: Reading | None, nulls: pa.Array, empty: pa.Array
) -> pa.Array:
    if reading is None:
        return blanked(texts, empty) if len(empty) else texts
    try:
        return parsed(reading, texts, nulls)
    except pa.ArrowInvalid as error:
        raise TableError(
            f"column {name!r} of {path} no longer holds {reading.type} alone; "
            "the file has changed: run it again"
        ) from error


def _layout(path: str, said: CsvFormat) -> Layout:
    wanted = _HEAD_BYTES
    while True:
        with _plain(path) as file:
            head = _filled(file, wanted)
        whole = len(head) < wanted
        if whole or wanted >= _LARGEST_HEADER_BYTES or b"\n" in head or b"\r" in head:
            break
        wanted *= 8
    return layout_of(path, head, said, whole=whole)


def _texts(path: str, layout: Layout, columns: tuple[str, ...] | list[str]) -> Iterator[Any]:
    """Batches of some columns, all as text; null is what stands for nothing without quotes."""
    wrong: list[Any] = []
    if layout.rowless:
        return
    try:
        with _opened(path, layout, columns, wrong.append) as reader:
            for batch in reader:
                yield batch.rename_columns(list(columns))
    except pa.ArrowInvalid as error:
        if wrong:
            raise _ragged(path, layout, columns) from error
        _check_encoding(path, layout.encoding)
        raise
    except UnicodeDecodeError as error:
        _check_encoding(path, layout.encoding)
        raise not_encoded(path, layout.encoding, b"") from error


@contextmanager
def _opened(
    path: str,
    layout: Layout,
    columns: tuple[str, ...] | list[str],
    on_wrong: Callable[[Any], None],
    *,
    threads: bool = True,
) -> Iterator[pa.csv.CSVStreamingReader]:
    places = {name: str(at) for at, name in enumerate(layout.names)}
    chosen = [places[name] for name in columns]
    nulls = NULL_WORDS if layout.quoted_words else ALWAYS_NULL

    def wrong(row: Any) -> str:
        on_wrong(row)
        return "error"

    with (
        _plain(path) as file,
        pa.csv.open_csv(
            _utf8(file, layout),
            read_options=pa.csv.ReadOptions(
                block_size=max(_BLOCK_BYTES, 8 * layout.characters),
                column_names=list(places.values()),
                skip_rows=layout.lines,
                use_threads=threads,
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=layout.sep,
                quote_char=layout.quote or False,
                escape_char=layout.escape or False,
                newlines_in_values=bool(layout.quote),
                invalid_row_handler=wrong,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(chosen, pa.string()),
                include_columns=chosen,
                null_values=list(nulls),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        ) as reader,
    ):
        yield reader


def _ragged(path: str, layout: Layout, columns: tuple[str, ...] | list[str]) -> TableError:
    """The error about the first row that has not as many fields as there are columns."""
    wrong: list[Any] = []
    try:
        with _opened(path, layout, columns, wrong.append, threads=False) as reader:
            for _ in reader:
                pass
    except pa.ArrowInvalid:
        pass
    row = wrong[0]
    return TableError(
        f"row {row.number:,} of {path} has {row.actual_columns} fields, but the header has "
        f"{row.expected_columns} between {layout.sep!r}; mend the row, put quotes around fields "
        "that hold the separator, or say with `csv=` what the file is like: sep=, quote=, "
        f"comment=, skip= (lines before the header; {layout.lines - 1} now)"
    )


def _check_encoding(path: str, encoding: str) -> None:
    """Raise the error that names the first line that is not of a file's encoding, if any is."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with _plain(path) as file:
        while True:
            block = file.read(_BLOCK_BYTES)
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as error:
                found = error.object[error.start : error.end]
                line += error.object[: error.start].count(b"\n")
                raise not_encoded(path, encoding, found, line) from error
            if not block:
                return


@contextmanager
def _plain(path: str) -> Iterator[Any]:
    """The file's bytes, decompressed."""
    packed = next((kind for end, kind in COMPRESSIONS.items() if path.lower().endswith(end)), None)
    with open_read(path) as file:
        if packed is None:
            yield file
        else:
            with pa.CompressedInputStream(pa.PythonFile(file), packed) as unpacked:
                yield unpacked


def _filled(file: Any, size: int) -> bytes:
    """So many bytes, or all there are."""
    parts, missing = [], size
    while missing and (part := bytes(file.read(missing))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _utf8(file: Any, layout: Layout) -> Any:
    """The file as UTF-8, without its lines of comment."""
    recoded = codecs.lookup(layout.encoding).name not in ("utf-8", "utf-8-sig")
    if not (recoded or layout.comment or layout.escape):
        return file
    blocks = _recoded(file, layout.encoding) if recoded else _blocks(file)
    if layout.comment:
        blocks = _uncommented(blocks, layout.comment.encode(), layout.lines)
    if layout.escape:
        blocks = _nulls_unescaped(blocks, layout.sep.encode())
    return _Stream(blocks)


def _blocks(file: Any) -> Iterator[bytes]:
    while block := bytes(file.read(_BLOCK_BYTES)):
        yield block


def _recoded(file: Any, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in _blocks(file):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _lines(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Runs of whole lines."""
    rest = b""
    for block in blocks:
        lines = (rest + block).splitlines(keepends=True)
        rest = lines.pop() if lines else b""
        yield lines
    yield [rest]


def _nulls_unescaped(blocks: Iterator[bytes], sep: bytes) -> Iterator[bytes]:
    r"""Blocks with nothing where a field is `\N`: where backslashes escape, Arrow reads an N."""
    mark = re.compile(rb"(?m)(?:^|(?<=%b))\\N(?=%b|\r?$)" % (re.escape(sep), re.escape(sep)))
    for lines in _lines(blocks):
        yield mark.sub(b"", b"".join(lines))


def _uncommented(blocks: Iterator[bytes], mark: bytes, kept: int) -> Iterator[bytes]:
    """Blocks of whole lines without those that begin with the mark, after the first `kept`."""
    for lines in _lines(blocks):
        skipped, kept = lines[:kept], max(kept - len(lines), 0)
        others = [line for line in lines[len(skipped) :] if not line.startswith(mark)]
        yield b"".join([*skipped, *others])


class _Stream(io.RawIOBase):
    """Blocks of bytes as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = block
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
