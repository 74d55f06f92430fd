"""How rows are encoded in tasks: parts in a folder of the run, by the codec that lies in it."""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Encoded, Layout, concat, none, take
from gtcoder.errors import OutputError
from gtcoder.rules.rules import Rules
from gtcoder.schema.schema import Schema
from gtcoder.seeds import Purpose, generator
from gtcoder.table.files import join, read_bytes, write_bytes
from gtcoder.training.rows.encoded import window_rows
from gtcoder.training.rows.parts import Shares, Written, write_part

CODEC, SCHEMA, RULES = "codec.json", "schema.json", "rules.json"
"""In the folder of a run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """How rows are encoded, wherever a task runs."""

    run: str
    """The run's folder, which has the codec."""
    folder: str
    """Where the parts go."""
    rows: int
    """That are learned, about."""
    table_rows: int
    """Of the whole table."""
    seed: int
    fraction: float
    """Of the rows that are held out."""

    def codec(self) -> Codec:
        """The codec of the run.

        Raises:
            OutputError: this machine does not see it.
        """
        try:
            return load_codec(self.run)
        except FileNotFoundError as error:
            raise OutputError(
                f"a machine of the cluster does not see {self.run}; give --storage a place that "
                "all machines share, such as s3://"
            ) from error

    def shares(self, layout: Layout) -> Shares:
        """What of each part goes into the files of held-out and sampled rows."""
        sampled = self.rows > window_rows(len(layout.fields))
        return Shares.of(self.rows, layout, fraction=self.fraction, sampled=sampled)

    def write(self, codec: Codec, batches: Iterable[pa.Table], name: str | None) -> Written:
        """Encode batches into parts of a quarter window, called after a name or their content."""
        layout = codec.layout
        if self.rows < self.table_rows:
            batches = self._drawn(batches, name)
        written = [
            write_part(
                self.folder,
                name and f"{name}-{number:03d}",
                encoded,
                layout,
                self.shares(layout),
                seed=self.seed,
                fraction=self.fraction,
            )
            for number, encoded in enumerate(_in_parts(codec, batches))
        ]
        return Written.joined(written or [Written((), none(layout), none(layout))])

    def _drawn(self, batches: Iterable[pa.Table], name: str | None) -> Iterator[pa.Table]:
        """Of each batch the rows that are learned, each as likely as any other of the table.

        They follow from the seed and the piece's name, or the batch's first rows where it has none.
        """
        share = self.rows / self.table_rows
        for number, batch in enumerate(batches):
            said = name or str(batch.slice(0, 8).to_pydict())
            place = zlib.crc32(said.encode())
            rng = generator(self.seed, Purpose.LEARNED, place, number)
            yield batch.filter(pa.array(rng.random(len(batch)) < share))


def _in_parts(codec: Codec, batches: Iterable[pa.Table]) -> Iterator[Encoded]:
    """Rows, encoded, in runs of about a quarter of what a worker has in memory."""
    most = max(window_rows(len(codec.layout.fields)) // 4, 1)
    pending: list[Encoded] = []
    for batch in batches:
        encoded = codec.encode(batch)
        for start in range(0, len(encoded), most):
            pending.append(take(encoded, slice(start, start + most)))
            if sum(map(len, pending)) >= most:
                yield concat(pending)
                pending = []
    if pending:
        yield concat(pending)


def save_codec(run: str, codec: Codec) -> None:
    """Keep a codec where the tasks and workers of a run find it."""
    parts = {
        SCHEMA: codec.schema.to_dict(),
        RULES: codec.rules.to_dict(),
        CODEC: codec.to_dict(),
    }
    for name, plain in parts.items():
        write_bytes(join(run, name), json.dumps(plain).encode())


def load_codec(run: str) -> Codec:
    """The codec of a run.

    Raises:
        FileNotFoundError: it has none, or this machine does not see it.
    """
    schema = Schema.from_dict(json.loads(read_bytes(join(run, SCHEMA))))
    rules = Rules.from_dict(json.loads(read_bytes(join(run, RULES))), schema.arrow)
    return Codec.from_dict(json.loads(read_bytes(join(run, CODEC))), schema, rules)
