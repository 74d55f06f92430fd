"""Find a table by path, folder, glob or URI, and agree on one schema for all of its files."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gtcoder.errors import StorageError, TableError
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.delimited.reader import survey
from gtcoder.table.delimited.settle import Survey, settle
from gtcoder.table.files import Uri, is_local, open_read
from gtcoder.table.partitions import (
    Format,
    TableFile,
    find_files,
    partition_schema,
    stamp_of,
)
from gtcoder.table.table import Footer, Table, readable
from gtcoder.table.unify import disagreeing, misfits, unify, without

Looked = Footer | Survey | TableError
"""What a file says of itself, or what is wrong with it."""
Each = Callable[[Callable[[str], Looked], Sequence[str]], Iterable[Looked]]
Said = CsvFormat | str | Iterable[str] | Mapping[str, Any] | None
"""What is said of CSV files."""
_NS_YEARS = (1678, 2261)
"""All of these years are within what nanoseconds can count."""


def each_by_threads(look: Callable[[str], Looked], paths: Sequence[str]) -> Iterator[Looked]:
    """What is found at every path, in their order, by threads of this process.

    Those that wait for a store are many; on this machine's disk more than its CPUs only quarrel.
    Each takes some paths at a time: one by one, thousands of files take 30 kB each for good.
    """
    threads = (os.cpu_count() or 1) if is_local(paths[0]) else 32
    size = min(max(len(paths) // (4 * threads), 1), 64)
    runs = [paths[start : start + size] for start in range(0, len(paths), size)]
    with ThreadPoolExecutor(min(threads, len(runs))) as pool:
        for found in pool.map(lambda run: [look(path) for path in run], runs):
            yield from found


def locate(
    uri: Uri,
    *,
    skip_bad_files: bool = False,
    csv: Said = None,
    exclude: Iterable[str] = (),
    each: Each = each_by_threads,
) -> Table:
    """Find a table by path, folder, glob or URI and agree on its schema.

    Args:
        uri: where it is.
        skip_bad_files: leave out what is damaged or unlike most files, rather than raise.
        csv: how CSV files are written, `"sep=;,decimal=,"`; the rest is guessed, see `Table.csv`.
        exclude: columns that will not be read: files need not agree on them.
        each: looks at every file, here or elsewhere: its end if it is Parquet, all of it if CSV.

    Raises:
        TableError: no such place, nothing in it, no row in it, a damaged file, columns that do not
            go together.
        ConfigError: what is said of CSV files cannot be used.
    """
    said = CsvFormat.of(csv)
    files, form = find_files(uri, all_csv=said is not None)
    look = partial(_look_or_error, form=form, said=said)
    looked = _sharing_schemas(each(look, [file.path for file in files]))
    bad = {f.path: r for f, r in zip(files, looked, strict=True) if isinstance(r, TableError)}
    good = [(f, r) for f, r in zip(files, looked, strict=True) if not isinstance(r, TableError)]
    if form is Format.CSV:
        good = _with_columns(good, bad)
    if bad and not (skip_bad_files and good):
        raise next(iter(bad.values()))
    surveys = [found for _, found in good if isinstance(found, Survey)]
    settled = settle(str(uri), surveys, said or _GUESS) if surveys else None
    footers = _footers(good, settled.plans if settled else ())
    unread = disagreeing([(f.path, footer.schema) for f, footer in footers], exclude)
    schemas = {file.path: without(footer.schema, unread) for file, footer in footers}
    if skip_bad_files:
        bad |= misfits(list(schemas.items()))
        footers = [(file, footer) for file, footer in footers if file.path not in bad]
    own = unify((file.path, schemas[file.path]) for file, _ in footers)
    kept = [file for file, _ in footers]
    names = set(own.names)
    partitions = pa.schema([f for f in partition_schema(kept) if f.name not in names])
    table = Table(
        uri=str(uri),
        files=tuple(kept),
        format=form,
        footers=tuple(footer for _, footer in footers),
        partitions=partitions,
        schema=pa.schema([*own, *partitions]),
        skipped={path: str(error) for path, error in bad.items()},
        csv=settled.format if settled else None,
        notes=settled.notes if settled else (),
        unread=tuple(unread),
    )
    if not table.schema.names:
        raise TableError(f"{uri}: the table has no columns")
    if not table.rows:
        raise TableError(f"{uri}: the table has no rows")
    return table


def catalogued(
    uri: Uri,
    files: Mapping[str, Mapping[str, str | None]],
    schema: pa.Schema,
    *,
    each: Each = each_by_threads,
) -> Table:
    """A table of Parquet files that a catalogue lists, in the order of their paths.

    Args:
        uri: what it is called.
        files: the path of each, and the values of columns that stand in the catalogue alone.
        schema: of the table; a column that a file lacks is missing in all its rows.
        each: looks at the end of every file, here or elsewhere.

    Raises:
        TableError: a file cannot be read, or there is no row.
    """
    paths = sorted(files)
    if not paths:
        raise TableError(f"{uri}: the table has no rows")
    with ThreadPoolExecutor(16) as pool:  # before their ends are read: what changes later is seen
        stamps = list(pool.map(_stamp_of, paths))
    found = []
    look = partial(_look_or_error, form=Format.PARQUET, said=None)
    for path, stamp, end in zip(paths, stamps, _sharing_schemas(each(look, paths)), strict=True):
        if isinstance(end, TableError):
            raise end
        found.append((TableFile(path, files[path], stamp), end))
    table = Table(
        uri=str(uri),
        files=tuple(file for file, _ in found),
        format=Format.PARQUET,
        footers=tuple(footer for _, footer in _footers(found, ())),
        partitions=pa.schema([schema.field(name) for name in files[paths[0]]]),
        schema=schema,
    )
    if not table.rows:
        raise TableError(f"{uri}: the table has no rows")
    return table


def _stamp_of(path: str) -> str:
    with readable(path, Format.PARQUET):
        return stamp_of(path)


_GUESS = CsvFormat()


def _sharing_schemas(looked: Iterable[Looked]) -> list[Looked]:
    """The same, but equal schemas are one object: of thousands of files most have the same."""
    schemas: dict[pa.Schema, pa.Schema] = {}
    shared = []
    for found in looked:
        if isinstance(found, Footer):
            schema = schemas.setdefault(found.schema, found.schema)
            found = replace(found, schema=schema)
        shared.append(found)
    return shared


def _look_or_error(path: str, form: Format, said: CsvFormat | None) -> Looked:
    """What a file says of itself, or what is wrong with it; a deaf store is no bad file."""
    try:
        with readable(path, form):
            return survey(path, said or _GUESS) if form is Format.CSV else _footer(path)
    except TableError as error:
        if isinstance(error.__cause__, StorageError):
            raise
        return error


def _with_columns(
    looked: Sequence[tuple[TableFile, Footer | Survey]], bad: dict[str, TableError]
) -> list[tuple[TableFile, Footer | Survey]]:
    """The CSV files with a header; one with nothing in it is bad if there is no other."""
    good = [(f, r) for f, r in looked if isinstance(r, Survey) and r.columns]
    if not good:
        for file, _ in looked:
            bad[file.path] = TableError(f"{file.path} is not a readable csv file: Empty CSV file")
    return list(good)


def _footers(
    looked: Sequence[tuple[TableFile, Footer | Survey]], plans: Sequence[Any]
) -> list[tuple[TableFile, Footer]]:
    """What is known of each file; moments of INT96 have one unit throughout."""
    footers = []
    for at, (file, found) in enumerate(looked):
        if isinstance(found, Survey):
            found = Footer(plans[at].schema, (found.rows,), plan=plans[at])
        footers.append((file, found))
    if any(footer.int96 == "us" for _, footer in footers):
        for at, (file, footer) in enumerate(footers):
            if footer.int96 == "ns":
                with open_read(file.path) as opened:
                    schema = _arrow_schema(pq.ParquetFile(opened, coerce_int96_timestamp_unit="us"))
                footers[at] = (file, replace(footer, int96="us", schema=schema))
    return footers


def _footer(path: str) -> Footer:
    with open_read(path) as file:
        parquet = pq.ParquetFile(file)
        meta = parquet.metadata
        groups = tuple(meta.row_group(g).num_rows for g in range(meta.num_row_groups))
        old = _int96(parquet)
        if not old:
            return Footer(_arrow_schema(parquet), groups)
        micro = pq.ParquetFile(file, coerce_int96_timestamp_unit="us")
        if _in_nanoseconds(micro, old):
            return Footer(_arrow_schema(parquet), groups, int96="ns")
        return Footer(_arrow_schema(micro), groups, int96="us")


def _arrow_schema(parquet: pq.ParquetFile) -> pa.Schema:
    return parquet.schema_arrow.remove_metadata()


def _int96(parquet: pq.ParquetFile) -> list[str]:
    """Columns of moments as Hive, Impala and Spark write them."""
    leaves = [parquet.schema.column(at) for at in range(len(parquet.schema))]
    return [leaf.path for leaf in leaves if leaf.physical_type == "INT96" and "." not in leaf.path]


def _in_nanoseconds(parquet: pq.ParquetFile, columns: list[str]) -> bool:
    """Whether nanoseconds can count all moments; a footer does not say, so they are read."""
    for batch in parquet.iter_batches(columns=columns):
        for column in batch.columns:
            ends = pc.min_max(pc.year(column))
            low, high = ends["min"].as_py(), ends["max"].as_py()
            if low is not None and not _NS_YEARS[0] <= low <= high <= _NS_YEARS[1]:
                return False
    return True
