"""What a task does: pieces of a table become files, each whole or not at all."""

from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from gtcoder.bundle import Bundle
from gtcoder.table.files import open_write
from gtcoder.table.table import Piece, Table, coalesced
from ray_jobs.folder import sign
from ray_jobs.rewrite.rewriter import Rewriter
from ray_jobs.rewrite.rewriting import Rewriting, file_name
from ray_jobs.rewrite.written import Written


def write(shares: Sequence[tuple[Table, Piece]], job: Rewriting) -> Written:
    """Write the files of some pieces.

    Raises:
        TableError: a file of the table is damaged, gone, or another than was found.
        OSError: a file cannot be written.
    """
    return Written.joined([_write(table, piece, job) for table, piece in shares])


def _write(table: Table, piece: Piece, job: Rewriting) -> Written:
    rewriter, name = _rewriter(job.bundle, job.checksum), file_name(piece)
    parts, first = [Written()], 0

    def named(row: int) -> str:
        path, within = table.place(piece, row)
        return f"{path} row {within} ({name} row {row})"

    table.check_unchanged(piece)
    with open_write(job.path(piece)) as file:
        parquet = None
        for batch in coalesced(table.batches(job.columns, piece=piece)):
            for rows, part in rewriter.rows(batch, job, piece.index, first, named):
                parquet = parquet or pq.ParquetWriter(file, rows.schema, compression="zstd")
                parquet.write_table(rows)
                parts.append(part)
            first += len(batch)
        if parquet is None:  # a piece without rows
            schema = pa.schema([table.schema.field(name) for name in job.columns])
            rows = rewriter.nothing(schema, job)
            parquet = pq.ParquetWriter(file, rows.schema, compression="zstd")
        whole = Written.joined(parts).called(name)
        sign(parquet, job.footer(name, whole))
        parquet.close()
        table.check_unchanged(piece)
    return whole


@lru_cache(1)
def _rewriter(uri: str, checksum: str) -> Rewriter:
    """The bundle as this process has it: it is loaded once."""
    return Rewriter(Bundle.load(uri, checksum))
