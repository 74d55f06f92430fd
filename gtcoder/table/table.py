"""A table wherever it is: Parquet or CSV, one file or partitions, local or on an object store.

Whatever its files look like, every batch has the one unified schema.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from gtcoder.errors import StorageError, TableError, UnreachableError
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.delimited.reader import read_csv
from gtcoder.table.delimited.settle import Plan
from gtcoder.table.files import explained, open_read
from gtcoder.table.partitions import (
    Format,
    TableFile,
    partition_value,
    stamp_of,
)
from gtcoder.typos import listed, meant

BATCH_ROWS = 131_072
PIECE_ROWS = 250_000
PIECE_FILES = 8
"""A piece is read file after file, and each takes an answer of the store."""
MANY_PIECES = 128
"""From so many on, pieces of small files have more of them: each is a task, which takes time."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What one file says about itself."""

    schema: pa.Schema
    """Of the file alone, without what its folders say."""
    group_rows: tuple[int, ...]
    """Rows of each row group; a CSV file is one group."""
    plan: Plan | None = None
    """How it is read, if it is CSV."""
    int96: str | None = None
    """The unit in which its INT96 moments are counted, if it has any."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some row groups of one file."""

    file: int
    """Index into the table's files."""
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A share of the table that one task reads: whole row groups, maybe of several files."""

    index: int
    slices: tuple[Slice, ...]
    rows: int


@dataclass(frozen=True)
class Table:
    """A located table; nothing but its files' footers has been read."""

    uri: str
    files: tuple[TableFile, ...]
    format: Format
    footers: tuple[Footer, ...]
    partitions: pa.Schema
    """The columns that come from folder names."""
    schema: pa.Schema
    """The columns of the files, then those of the folders."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Files that are left out, and why."""
    csv: CsvFormat | None = None
    """How CSV files are written: as said, and guessed for the rest."""
    notes: tuple[str, ...] = ()
    """What a user should know of how columns of CSV files are read."""
    unread: tuple[str, ...] = ()
    """Columns that not all files have, or not with one type; they were to be left out."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(sum(footer.group_rows) for footer in self.footers)

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a file, its place or the schema does."""
        lines = [f"{file.path} {file.stamp}" for file in self.files]
        return hashlib.sha256("\n".join([*lines, str(self.schema)]).encode()).hexdigest()

    def left_out(self, exclude: Iterable[str]) -> list[str]:
        """The columns of the schema that are excluded; others, not all files have."""
        return [name for name in exclude if name not in self.unread]

    def pieces(self, rows: int = PIECE_ROWS) -> list[Piece]:
        """The table cut into pieces of about so many rows, of few files, the same whoever asks."""
        files = max(PIECE_FILES, -(-len(self.files) // MANY_PIECES))
        pieces: list[Piece] = []
        slices: list[Slice] = []
        pending = 0
        for index, footer in enumerate(self.footers):
            for group, count in enumerate(footer.group_rows):
                among = len({part.file for part in slices} | {index})
                if pending and (pending + count > rows or among > files):
                    pieces.append(Piece(len(pieces), _joined(slices), pending))
                    slices, pending = [], 0
                slices.append(Slice(index, (group,)))
                pending += count
        if pending:
            pieces.append(Piece(len(pieces), _joined(slices), pending))
        return pieces

    def share(self, piece: Piece) -> tuple[Self, Piece]:
        """The table of a piece's files alone, and the piece in it: all that its task must know."""
        kept = sorted({part.file for part in piece.slices})
        place = {file: at for at, file in enumerate(kept)}
        table = replace(
            self,
            files=tuple(self.files[file] for file in kept),
            footers=tuple(self.footers[file] for file in kept),
            skipped={},
            notes=(),
        )
        slices = tuple(replace(part, file=place[part.file]) for part in piece.slices)
        return table, replace(piece, slices=slices)

    def without(self, bad: Mapping[str, str]) -> Self:
        """The table less some files: path to what is wrong with them.

        Raises:
            TableError: no row is left.
        """
        kept = [i for i, file in enumerate(self.files) if file.path not in bad]
        table = replace(
            self,
            files=tuple(self.files[i] for i in kept),
            footers=tuple(self.footers[i] for i in kept),
            skipped={**self.skipped, **bad},
        )
        if not table.rows:
            why = next(iter(table.skipped.values()))
            raise TableError(f"{self.uri}: no row is left without the bad files; {why}")
        return table

    def batches(
        self,
        columns: Sequence[str] | None = None,
        *,
        piece: Piece | None = None,
        rows: int = BATCH_ROWS,
    ) -> Iterator[pa.Table]:
        """Chunks of at most `rows` rows of a piece or of all, cast to the unified schema.

        Raises:
            TableError: a column is not in the table, or a file is damaged.
        """
        schema = self._selected(columns)
        for part in [piece] if piece else self.pieces():
            for chosen in part.slices:
                yield from self._slice(chosen, schema, rows)

    def place(self, piece: Piece, row: int) -> tuple[str, int]:
        """The file that a row of a piece is in, and which of its rows it is, all counted from 0."""
        for part in piece.slices:
            groups = self.footers[part.file].group_rows
            count = sum(groups[group] for group in part.groups)
            if row < count:
                return self.files[part.file].path, sum(groups[: part.groups[0]]) + row
            row -= count
        raise IndexError(row)

    def check_unchanged(self, piece: Piece) -> None:
        """See that the files of a piece are those that were found.

        Raises:
            TableError: one is gone, or has been written anew.
        """
        for part in piece.slices:
            file = self.files[part.file]
            with readable(file.path, self.format):
                stamp = stamp_of(file.path)
            if stamp != file.stamp:
                raise TableError(
                    f"{file.path} was written anew while the table was read; run it again once "
                    "nothing writes there"
                )

    def _selected(self, columns: Sequence[str] | None) -> pa.Schema:
        if columns is None:
            return self.schema
        unknown = [name for name in columns if name not in self.schema.names]
        if unknown:
            raise TableError(
                f"no column {unknown[0]!r} in {self.uri}; there are {listed(self.schema.names)}"
                f"{meant(unknown[0], self.schema.names)}"
            )
        return pa.schema([self.schema.field(name) for name in columns])

    def _slice(self, chosen: Slice, schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
        file, footer = self.files[chosen.file], self.footers[chosen.file]
        folders = set(self.partitions.names)
        own = [name for name in schema.names if name not in folders]
        lacking = [name for name in own if name not in footer.schema.names]
        own = [name for name in own if name not in lacking] or footer.schema.names[:1]
        constants = {
            name: partition_value(file.partition[name], self.partitions.field(name).type)
            for name in schema.names
            if name in folders
        }
        constants |= {name: pa.scalar(None, schema.field(name).type) for name in lacking}
        with readable(file.path, self.format):
            for batch in _read(file.path, footer, chosen.groups, own, rows):
                yield conformed(pa.table(batch), constants, schema, file.path)


def coalesced(batches: Iterable[pa.Table], rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """The same rows in fewer batches: neighbours together, as far as they have `rows` in all.

    A batch costs the same however few rows it has, and thousands of files may have few each.
    """
    pending: list[pa.Table] = []
    for batch in batches:
        if pending and sum(map(len, pending)) + len(batch) > rows:
            yield pa.concat_tables(pending)
            pending = []
        pending.append(batch)
    if pending:
        yield pa.concat_tables(pending)


@contextmanager
def readable(path: str, form: Format) -> Iterator[None]:
    """Turn what goes wrong in reading a file into one line that names it."""
    try:
        with explained(path):
            yield
    except (FileNotFoundError, PermissionError, StorageError) as error:
        raise UnreachableError(str(error)) from error
    except (pa.ArrowException, OSError) as error:
        said = str(error).removeprefix(f"{path}: ").strip() or type(error).__name__
        raise TableError(
            f"{path} is not a readable {form.value} file: {said.splitlines()[0]}"
        ) from error


def _read(
    path: str, footer: Footer, groups: tuple[int, ...], columns: list[str], rows: int
) -> Iterator[pa.RecordBatch | pa.Table]:
    if footer.plan is not None:
        for batch in read_csv(path, footer.plan, columns):
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)
        return
    with open_read(path) as file:
        parquet = pq.ParquetFile(file, coerce_int96_timestamp_unit=footer.int96)
        # One thread: pieces are read side by side, and threads cost more than a small file does.
        yield from parquet.iter_batches(
            rows, row_groups=list(groups), columns=columns, use_threads=False
        )


def _joined(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """Row groups of one file side by side become one slice."""
    groups: dict[int, tuple[int, ...]] = {}
    for part in slices:
        groups[part.file] = groups.get(part.file, ()) + part.groups
    return tuple(Slice(file, chosen) for file, chosen in groups.items())


def conformed(
    batch: pa.Table, constants: Mapping[str, pa.Scalar], schema: pa.Schema, path: str
) -> pa.Table:
    """The batch with the unified schema, its folders' values filled in.

    Raises:
        TableError: a column's values do not go into its type.
    """
    columns = []
    for wanted in schema:
        if wanted.name in constants:
            columns.append(pa.repeat(constants[wanted.name], len(batch)))
            continue
        column = batch[wanted.name]
        try:
            columns.append(column if column.type == wanted.type else column.cast(wanted.type))
        except pa.ArrowException as error:
            raise TableError(
                f"column {wanted.name!r} of {path} has values that {wanted.type}, the type of the "
                f"whole column, cannot hold: {str(error).splitlines()[0]}"
            ) from error
    return pa.Table.from_arrays(columns, schema=schema)
