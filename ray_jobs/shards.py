"""One file of synthetic rows: which rows, how it is written, and how it is known again."""

import hashlib
import json
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from gtcoder.sampling.sample import Sampler
from gtcoder.table.files import open_read, open_write

GROUP_ROWS = 1 << 17
"""Rows of a row group, and of what is in memory at once."""
_KEY = "gtcoder"


@dataclass(frozen=True, slots=True)
class Stream:
    """The endless stream of rows that shards are cut from."""

    bundle: str
    """URI of the bundle."""
    checksum: str
    """Of the bundle."""
    seed: int
    where: tuple[str, ...]


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
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def write_shard(shard: Shard, stream: Stream, sampler: Sampler) -> None:
    """Write one file; it is seen once it is whole."""
    schema = sampler.codec.schema.arrow
    with (
        open_write(shard.uri) as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=1) as writer,
    ):
        for start in range(shard.start, shard.stop, GROUP_ROWS):
            stop = min(start + GROUP_ROWS, shard.stop)
            writer.write_table(sampler.rows(stream.seed, start, stop), row_group_size=GROUP_ROWS)
        writer.add_key_value_metadata({_KEY: shard.fingerprint(stream)})


def is_written(shard: Shard, stream: Stream) -> bool:
    """Whether the file is there, whole, and the one that would be written."""
    try:
        with open_read(shard.uri) as file:
            metadata = pq.read_metadata(file)
    except pa.ArrowException:
        return False
    said = (metadata.metadata or {}).get(_KEY.encode(), b"").decode()
    rows: int = metadata.num_rows
    return rows == shard.rows and said == shard.fingerprint(stream)
