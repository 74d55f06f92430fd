"""Encoded rows: written once, streamed every epoch.

A folder of Arrow IPC parts with a manifest. Which rows are held out for validation, and the order
of every epoch, follow from a seed alone, so a run can go on in mid-epoch after a crash.
"""

import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Self

import numpy as np
import pyarrow as pa

from gtcoder.errors import TableError
from gtcoder.files import read_bytes, write_bytes
from gtcoder.layout import Encoded, Layout, Scalar

MANIFEST = "_encoded.json"
WINDOW_ROWS = 2_000_000
"""Rows a worker shuffles in memory; a smaller table is shuffled whole."""
VALIDATION_ROWS = 20_000
"""About so many validation rows are kept at most, some of every part, however large the table."""
SHARD_PART_ROWS = 250
"""A sample takes at least so many rows of a part, so that it never reads all of a large table."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of encoded training rows that is loaded at once."""

    rows: int
    load: Callable[[], Encoded]


@dataclass(slots=True)
class EncodedRows:
    """Training rows in parts, and the held-out rows in memory."""

    parts: Sequence[Part]
    validation: Encoded
    _whole: Encoded | None = field(default=None, init=False)
    _shards: dict[tuple[int, ...], Encoded] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, encoded: Encoded, *, seed: int, validation_fraction: float) -> Self:
        """Rows already in memory, split as `write_part` splits them."""
        held = held_out(encoded, seed, validation_fraction)
        train = take(encoded, ~held)
        return cls([Part(len(train), lambda: train)], take(encoded, held))

    @classmethod
    def open(cls, folder: str, layout: Layout) -> Self:
        """Rows in a folder that `write_manifest` completed.

        Raises:
            TableError: the folder has no manifest.
        """
        manifest = read_manifest(folder)
        if manifest is None:
            raise TableError(f"{folder} holds no finished encoding; run the training again")
        parts = [
            Part(int(p["train"]), partial(read_part, _join(folder, p["name"], "train"), layout))
            for p in manifest["parts"]
            if p["train"]
        ]
        held = _read_held(folder, manifest, layout)
        return cls(sorted(parts, key=lambda part: -part.rows), held)

    @property
    def rows(self) -> int:
        """Number of training rows."""
        return sum(part.rows for part in self.parts)

    def whole(self) -> Encoded | None:
        """All training rows when they fit the window, loaded once; else nothing."""
        if self._whole is None and self.rows <= WINDOW_ROWS:
            self._whole = concat([part.load() for part in self.parts])
        return self._whole

    def batches(
        self, *, seed: int, epoch: int, rank: int, world: int, batch_rows: int
    ) -> Iterator[Encoded]:
        """Endless batches of one worker for one epoch, in an order that the arguments decide.

        A worker's share of a table that does not fit the window is every `world`-th part, shuffled
        within windows; when a share runs out early it starts over, so that all workers can take
        equally many steps.
        """
        while True:
            for window in self._windows(seed, epoch, rank, world):
                if 0 < len(window) < batch_rows:
                    window = take(window, np.arange(batch_rows) % len(window))
                for start in range(0, len(window) - batch_rows + 1, batch_rows):
                    yield take(window, slice(start, start + batch_rows))
            epoch += 1 << 20

    def _windows(self, seed: int, epoch: int, rank: int, world: int) -> Iterator[Encoded]:
        rng = np.random.default_rng([seed, 1, epoch])
        whole = self.whole()
        if whole is not None:
            yield take(whole, _share(rng.permutation(len(whole)), rank, world))
            return
        order = rng.permutation(len(self.parts))
        rng = np.random.default_rng([seed, 2, epoch, rank])
        pending: list[Encoded] = []
        for index in _share(order, rank, world):
            pending.append(self.parts[index].load())
            if sum(map(len, pending)) >= WINDOW_ROWS // 2:
                yield _shuffled(pending, rng)
                pending = []
        if pending:
            yield _shuffled(pending, rng)

    def shard(self, *, rank: int, world: int, most: int, seed: int) -> Encoded:
        """One worker's part of about `most` training rows, drawn over the whole table.

        It is the same every time; that of a table which does not fit the window is kept.
        """
        rng = np.random.default_rng([seed, 3])
        whole = self.whole()
        if whole is not None:
            some = _some(whole, most, rng)
            return take(some, _share(np.arange(len(some)), rank, world))
        key = (rank, world, most, seed)
        if key not in self._shards:
            mine = _share(rng.permutation(len(self.parts)), rank, world)
            mine = mine[: math.ceil(most / (world * SHARD_PART_ROWS))]
            each = math.ceil(most / (world * len(mine)))
            self._shards[key] = concat([_some(self.parts[i].load(), each, rng) for i in mine])
        return self._shards[key]


def held_out(encoded: Encoded, seed: int, fraction: float) -> np.ndarray:
    """Which rows are for validation, bool (B,): decided by the row's own content and the seed.

    Of equal rows each is decided by how many came before it, so that none of the combinations of a
    table with few is held out whole.
    """
    if not fraction:
        return np.zeros(len(encoded), bool)
    words = np.concatenate([encoded.codes.astype(np.uint64), encoded.scalars.view(np.uint32)], 1)
    rng = np.random.default_rng([seed, 4])
    odd = rng.integers(0, 2**63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    content = _mixed((words * odd).sum(1, dtype=np.uint64))
    mixed = _mixed(content + _nth_of_equals(content))
    held: np.ndarray = (mixed >> np.uint64(11)) < np.uint64(int(fraction * 2**53))
    return held


def _mixed(words: np.ndarray) -> np.ndarray:
    """Words whose every bit depends on every bit of the input, uint64 (B,)."""
    words = (words ^ (words >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    mixed: np.ndarray = (words ^ (words >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


def _nth_of_equals(words: np.ndarray) -> np.ndarray:
    """How many equal words stand before each, uint64 (B,)."""
    order = np.argsort(words, kind="stable")
    ordered = words[order]
    places = np.arange(len(words), dtype=np.uint64)
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(words)]
    nth = np.empty_like(places)
    nth[order] = places - np.maximum.accumulate(np.where(new, places, np.uint64(0)))
    return nth


def write_part(
    folder: str, name: str, encoded: Encoded, layout: Layout, *, seed: int, fraction: float
) -> dict[str, str | int]:
    """Write one part, the held-out rows in a file of their own; its line for the manifest."""
    held = held_out(encoded, seed, fraction)
    for kind, rows in (("train", take(encoded, ~held)), ("validation", take(encoded, held))):
        if len(rows):
            write_bytes(_join(folder, name, kind), _to_ipc(rows, layout))
    return {"name": name, "train": int((~held).sum()), "validation": int(held.sum())}


def write_manifest(folder: str, parts: Sequence[dict[str, str | int]]) -> None:
    """Mark the folder complete, naming its parts."""
    text = json.dumps({"parts": sorted(parts, key=lambda part: str(part["name"]))})
    write_bytes(f"{folder}/{MANIFEST}", text.encode())


def read_manifest(folder: str) -> dict[str, list[dict[str, str | int]]] | None:
    """The manifest, or nothing where the encoding never finished."""
    try:
        manifest: dict[str, list[dict[str, str | int]]] = json.loads(
            read_bytes(f"{folder}/{MANIFEST}")
        )
    except FileNotFoundError:
        return None
    return manifest


def _read_held(
    folder: str, manifest: dict[str, list[dict[str, str | int]]], layout: Layout
) -> Encoded:
    """The held-out rows, of every part its share of about `VALIDATION_ROWS`."""
    counts = {str(p["name"]): int(p["validation"]) for p in manifest["parts"] if p["validation"]}
    share = min(1.0, VALIDATION_ROWS / max(sum(counts.values()), 1))
    rng = np.random.default_rng(6)
    width = len(layout.fields)
    held = [Encoded(np.zeros((0, width), np.int16), np.zeros((0, width), np.float32))]
    for name, count in counts.items():
        rows = read_part(_join(folder, name, "validation"), layout)
        held.append(_some(rows, math.ceil(share * count), rng))
    return concat(held)


def read_part(path: str, layout: Layout) -> Encoded:
    """One file that `write_part` wrote."""
    table = pa.ipc.open_file(pa.BufferReader(read_bytes(path))).read_all().combine_chunks()
    width = len(layout.fields)
    codes = table["codes"].combine_chunks().flatten().to_numpy().reshape(-1, width)
    scalars = np.zeros(codes.shape, np.float32)
    with_scalar = _scalar_fields(layout)
    if with_scalar:
        flat = table["scalars"].combine_chunks().flatten().to_numpy()
        scalars[:, with_scalar] = flat.reshape(-1, len(with_scalar))
    return Encoded(codes, scalars)


def take(encoded: Encoded, rows: np.ndarray | slice) -> Encoded:
    """The named rows."""
    return Encoded(encoded.codes[rows], encoded.scalars[rows])


def concat(parts: Sequence[Encoded]) -> Encoded:
    """All rows, in order."""
    if len(parts) == 1:
        return parts[0]
    return Encoded(
        np.concatenate([p.codes for p in parts]), np.concatenate([p.scalars for p in parts])
    )


def _share(order: np.ndarray, rank: int, world: int) -> np.ndarray:
    """What one worker takes of things in order; all of them when there are too few to share."""
    return order[rank::world] if len(order) >= world else order


def _some(encoded: Encoded, most: int, rng: np.random.Generator) -> Encoded:
    """At most `most` rows, drawn without order so that a sorted table gives all of its kinds."""
    if len(encoded) <= most:
        return encoded
    return take(encoded, rng.permutation(len(encoded))[:most])


def _shuffled(parts: list[Encoded], rng: np.random.Generator) -> Encoded:
    rows = concat(parts)
    return take(rows, rng.permutation(len(rows)))


def _to_ipc(rows: Encoded, layout: Layout) -> bytes:
    columns = {"codes": _fixed_lists(rows.codes)}
    with_scalar = _scalar_fields(layout)
    if with_scalar:
        columns["scalars"] = _fixed_lists(rows.scalars[:, with_scalar])
    table = pa.table(columns)
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _fixed_lists(matrix: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def _scalar_fields(layout: Layout) -> list[int]:
    return [k for k, f in enumerate(layout.fields) if f.scalar is not Scalar.NONE]


def _join(folder: str, name: object, kind: str) -> str:
    return f"{folder}/{PurePosixPath(str(name)).name}.{kind}.arrow"
