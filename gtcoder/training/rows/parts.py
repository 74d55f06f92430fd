"""Encoded rows as files: Arrow IPC parts in a folder, complete once its manifest stands.

Beside the parts lie two small files, so that no worker has to open every part of a large table:
the held-out rows, and a sample of the training rows.
"""

import io
import json
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Self

import numpy as np
import pyarrow as pa

from gtcoder.codec.layout import Encoded, Layout, Scalar, concat, some, take
from gtcoder.errors import TableError
from gtcoder.seeds import Purpose, generator
from gtcoder.table.files import join, read_bytes, write_bytes
from gtcoder.training.rows.held_out import held_out

MANIFEST = "_encoded.json"
VALIDATION_ROWS = 20_000
"""About so many validation rows are kept at most, some of every part, however large the table."""
SAMPLE_ROWS = 100_000
"""About so many training rows are in the sample of a table that does not fit in memory."""
SAMPLE_VALUES = 1 << 25
"""And never many more codes than these (200 MB)."""
_HELD, _SAMPLE = "held_out.arrow", "sample.arrow"
_SCALARS = "scalars"
_BELOW_1 = np.nextafter(np.float16(1), np.float16(0))


@dataclass(frozen=True, slots=True)
class Part:
    """A run of encoded training rows that is loaded at once."""

    rows: int
    load: Callable[[], Encoded]


@dataclass(frozen=True, slots=True)
class Shares:
    """What of every part goes into the two small files."""

    held: float
    """Share of its held-out rows."""
    sample: float
    """Share of its training rows."""

    @classmethod
    def of(cls, rows: int, layout: Layout, *, fraction: float, sampled: bool) -> Self:
        """Those of a table of so many rows, of which a fraction is held out.

        Args:
            rows: of the whole table.
            layout: the encoded row.
            fraction: of rows held out.
            sampled: whether a sample is needed at all.
        """
        most = min(SAMPLE_ROWS, SAMPLE_VALUES // len(layout.fields)) if sampled else 0
        return cls(
            min(1.0, VALIDATION_ROWS / max(fraction * rows, 1.0)), min(1.0, most / max(rows, 1))
        )


@dataclass(frozen=True, slots=True)
class Written:
    """Parts that were written, and what they give to the two small files."""

    lines: tuple[dict[str, str | int], ...]
    """For the manifest, one a part."""
    held: Encoded
    sample: Encoded

    @classmethod
    def joined(cls, each: Sequence[Self]) -> Self:
        """All of them together."""
        return cls(
            tuple(line for one in each for line in one.lines),
            concat([one.held for one in each]),
            concat([one.sample for one in each]),
        )


def write_part(
    folder: str,
    name: str | None,
    encoded: Encoded,
    layout: Layout,
    shares: Shares,
    *,
    seed: int,
    fraction: float,
) -> Written:
    """Write one part: its training rows, then its held-out rows, all as `stored`.

    Without a name it is called after its content, so that a part which is written twice is one.
    """
    chosen, encoded = held_out(encoded, seed, fraction), stored(encoded)
    train, held = take(encoded, ~chosen), take(encoded, chosen)
    content = to_ipc(concat([train, held]), layout)
    name = name or sha256(content).hexdigest()[:32]
    write_bytes(_path(folder, name), content)
    line: dict[str, str | int] = {"name": name, "train": len(train), "validation": len(held)}
    return _written(line, train, held, shares)


def stored(encoded: Encoded) -> Encoded:
    """Rows as a part gives them back: scalars are half floats, those below 1 stay below it."""
    below = np.where(encoded.scalars < 1, _BELOW_1, np.float16(1))
    return Encoded(
        encoded.codes, np.minimum(encoded.scalars, below).astype(np.float16).astype(np.float32)
    )


def written_before(
    folder: str, line: dict[str, str | int], layout: Layout, shares: Shares
) -> Written:
    """What `write_part` gave for a part that was written earlier."""
    rows = read_part(_path(folder, line["name"]), layout)
    train = int(line["train"])
    return _written(line, take(rows, slice(train)), take(rows, slice(train, None)), shares)


def _written(line: dict[str, str | int], train: Encoded, held: Encoded, shares: Shares) -> Written:
    """The small files' shares are drawn by the part's name, whoever writes it and when."""
    place = zlib.crc32(str(line["name"]).encode())
    return Written(
        (line,),
        some(held, math.ceil(shares.held * len(held)), generator(0, Purpose.HELD_OUT, place)),
        some(train, math.ceil(shares.sample * len(train)), generator(0, Purpose.SAMPLE, place)),
    )


def write_manifest(folder: str, written: Written, layout: Layout) -> None:
    """Write the two small files, then mark the folder complete, naming its parts."""
    write_bytes(join(folder, _HELD), to_ipc(written.held, layout))
    write_bytes(join(folder, _SAMPLE), to_ipc(written.sample, layout))
    text = json.dumps({"parts": sorted(written.lines, key=lambda line: str(line["name"]))})
    write_bytes(join(folder, MANIFEST), text.encode())


def read_manifest(folder: str) -> list[dict[str, str | int]] | None:
    """The parts' lines, or nothing where the encoding never finished."""
    try:
        manifest = json.loads(read_bytes(join(folder, MANIFEST)))
    except FileNotFoundError:
        return None
    parts: list[dict[str, str | int]] = manifest["parts"]
    return parts


def open_parts(folder: str, layout: Layout) -> tuple[list[Part], Encoded, Encoded]:
    """The parts of training rows in a folder, the largest first, the held-out rows, the sample.

    Raises:
        TableError: the folder has no manifest.
    """
    lines = read_manifest(folder)
    if lines is None:
        raise TableError(f"{folder} holds no finished encoding; run the training again")
    parts = [
        Part(int(line["train"]), partial(_read_train, folder, line, layout))
        for line in lines
        if line["train"]
    ]
    held, sample = (read_part(join(folder, name), layout) for name in (_HELD, _SAMPLE))
    return sorted(parts, key=lambda part: -part.rows), held, sample


def _read_train(folder: str, line: dict[str, str | int], layout: Layout) -> Encoded:
    return take(read_part(_path(folder, line["name"]), layout), slice(int(line["train"])))


def read_part(path: str, layout: Layout) -> Encoded:
    """The rows of one file."""
    table = pa.ipc.open_file(pa.BufferReader(read_bytes(path))).read_all().combine_chunks()
    rows, width = table.num_rows, len(layout.fields)
    encoded = Encoded(np.zeros((rows, width), np.int16), np.zeros((rows, width), np.float32))
    if rows:
        for name, (fields, _) in _blocks(layout).items():
            flat = table[name].combine_chunks().flatten().to_numpy()
            whole = encoded.scalars if name == _SCALARS else encoded.codes
            whole[:, fields] = flat.reshape(rows, -1)
    return encoded


def to_ipc(rows: Encoded, layout: Layout) -> bytes:
    """Rows as the bytes of an Arrow file: a byte for a code where that is enough, half floats."""
    columns = {}
    for name, (fields, dtype) in _blocks(layout).items():
        whole = rows.scalars if name == _SCALARS else rows.codes
        columns[name] = _fixed_lists(whole[:, fields].astype(dtype))
    table = pa.table(columns)
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _fixed_lists(matrix: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def _blocks(layout: Layout) -> dict[str, tuple[list[int], type]]:
    """What a part holds: the fields of each column of its file, and how a number is written."""
    fields = list(enumerate(layout.fields))
    blocks: dict[str, tuple[list[int], type]] = {
        "bytes": ([k for k, f in fields if f.cardinality <= 256], np.uint8),
        "words": ([k for k, f in fields if f.cardinality > 256], np.int16),
        _SCALARS: ([k for k, f in fields if f.scalar is not Scalar.NONE], np.float16),
    }
    return {name: block for name, block in blocks.items() if block[0]}


def _path(folder: str, name: object) -> str:
    return join(folder, f"part-{name}.arrow")
