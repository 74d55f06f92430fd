"""Find a table by path, folder, glob or URI, and agree on one schema for all of its files."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from gtcoder.errors import StorageError, TableError
from gtcoder.table.delimited import settle
from gtcoder.table.files import Uri, open_read
from gtcoder.table.partitions import Format, find_files, partition_schema
from gtcoder.table.table import Footer, Table, readable
from gtcoder.table.unify import misfits, unify


def locate(uri: Uri, *, skip_bad_files: bool = False) -> Table:
    """Find a table by path, folder, glob or URI and agree on its schema.

    Args:
        uri: where it is.
        skip_bad_files: leave out what is damaged or unlike most files, rather than raise.

    Raises:
        TableError: no such place, nothing in it, no row in it, a damaged file, columns that do not
            go together.
    """
    files, form = find_files(uri)
    with ThreadPoolExecutor(min(32, len(files))) as pool:
        read = list(pool.map(lambda file: _footer_or_error(file.path, form), files))
    bad = {f.path: r for f, r in zip(files, read, strict=True) if isinstance(r, TableError)}
    good = [(f, r) for f, r in zip(files, read, strict=True) if isinstance(r, Footer)]
    if skip_bad_files:
        bad |= misfits([(file.path, footer.schema) for file, footer in good])
        good = [(file, footer) for file, footer in good if file.path not in bad]
    if bad and not (skip_bad_files and good):
        raise next(iter(bad.values()))
    own = unify((file.path, footer.schema) for file, footer in good)
    files = [file for file, _ in good]
    partitions = pa.schema([f for f in partition_schema(files) if f.name not in own.names])
    table = Table(
        uri=str(uri),
        files=tuple(files),
        format=form,
        footers=tuple(footer for _, footer in good),
        partitions=partitions,
        schema=pa.schema([*own, *partitions]),
        skipped={path: str(error) for path, error in bad.items()},
    )
    if not table.schema.names:
        raise TableError(f"{uri}: the table has no columns")
    if not table.rows:
        raise TableError(f"{uri}: the table has no rows")
    return table


def _footer_or_error(path: str, form: Format) -> Footer | TableError:
    """What a file says of itself, or what is wrong with it; a deaf store is no bad file."""
    try:
        return _footer(path, form)
    except TableError as error:
        if isinstance(error.__cause__, StorageError):
            raise
        return error


def _footer(path: str, form: Format) -> Footer:
    with readable(path, form):
        if form is Format.CSV:
            schema, rows = settle(path)
            return Footer(schema, (rows,))
        with open_read(path) as file:
            parquet = pq.ParquetFile(file)
            meta = parquet.metadata
            groups = tuple(meta.row_group(g).num_rows for g in range(meta.num_row_groups))
            return Footer(parquet.schema_arrow.remove_metadata(), groups)
