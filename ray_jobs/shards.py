"""One file of synthetic rows: which rows, how it is written, and how it is known again.

A Parquet file says in its footer what it holds. CSV and JSON lines have no such place: what is
there was written whole, and the folder's index says for which request.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from gtcoder.sampling.sample import Sampler
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.files import exists, open_write
from gtcoder.table.writers import CsvWriter, NdjsonWriter
from ray_jobs.folder import said_by, sign

GROUP_ROWS = 1 << 17
"""Rows of a row group, and of what is in memory at once."""
CPU = "cpu"


class FileFormat(StrEnum):
    """How files are written, by their ending."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"

    @classmethod
    def of(cls, name: str) -> Self:
        """The format of a file's name; Parquet where the ending is none of these."""
        ending = name.rpartition(".")[2].lower()
        return cls(ending) if ending in list(cls) else cls("parquet")


@dataclass(frozen=True, slots=True)
class Stream:
    """The endless stream of rows that shards are cut from."""

    bundle: str
    """URI of the bundle."""
    checksum: str
    """Of the bundle."""
    seed: int
    where: tuple[str, ...]
    csv: str = ""
    """How the CSV files were written that the bundle's table was read from."""
    device: str = CPU
    """What rows are drawn on, as torch calls it: on another kind some of them differ."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows [start, stop) of the stream in one file."""

    uri: str
    start: int
    stop: int

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.stop - self.start

    @property
    def name(self) -> str:
        """The file's name."""
        return self.uri.rpartition("/")[2]

    def fingerprint(self, stream: Stream) -> str:
        """What the file says it holds."""
        plain = [stream.checksum, stream.seed, list(stream.where), self.start, self.stop]
        plain += [stream.device] if stream.device != CPU else []
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def write_shard(shard: Shard, stream: Stream, sampler: Sampler) -> None:
    """Write one file in the form of its ending; it is seen once it is whole."""
    schema = sampler.codec.schema.arrow
    form = FileFormat.of(shard.uri)
    if form is not FileFormat.PARQUET:
        csv = CsvFormat.of(stream.csv) if stream.csv else None
        writer = CsvWriter(schema, csv) if form is FileFormat.CSV else NdjsonWriter(schema)
        with open_write(shard.uri) as file:
            for table in _pieces(shard, stream, sampler):
                file.write(writer.rows(table))
            file.write(writer.end())
        return
    with (
        open_write(shard.uri) as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=1) as parquet,
    ):
        for table in _pieces(shard, stream, sampler):
            parquet.write_table(table, row_group_size=GROUP_ROWS)
        sign(parquet, shard.fingerprint(stream))


def _pieces(shard: Shard, stream: Stream, sampler: Sampler) -> Iterator[pa.Table]:
    for start in range(shard.start, shard.stop, GROUP_ROWS):
        yield sampler.rows(stream.seed, start, min(start + GROUP_ROWS, shard.stop))


def is_written(shard: Shard, stream: Stream) -> bool:
    """Whether the file is there, whole, and the one that would be written."""
    if FileFormat.of(shard.uri) is not FileFormat.PARQUET:
        return exists(shard.uri)
    return said_by(shard.uri) == (shard.fingerprint(stream), shard.rows)
