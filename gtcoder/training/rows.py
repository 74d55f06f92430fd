"""The rows a model is trained on: encoded once, streamed every epoch.

The order of every epoch follows from a seed alone, so a run can go on in mid-epoch after a crash.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from gtcoder.codec.layout import Encoded, Layout, concat, some, take
from gtcoder.training.held_out import held_out
from gtcoder.training.parts import Part, open_parts

WINDOW_ROWS = 2_000_000
"""Rows a worker shuffles in memory; a smaller table is shuffled whole."""
SHARD_PART_ROWS = 250
"""A sample takes at least so many rows of a part, so that it never reads all of a large table."""


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
        return cls(*open_parts(folder, layout))

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
            kept = some(whole, most, rng)
            return take(kept, _share(np.arange(len(kept)), rank, world))
        key = (rank, world, most, seed)
        if key not in self._shards:
            mine = _share(rng.permutation(len(self.parts)), rank, world)
            mine = mine[: math.ceil(most / (world * SHARD_PART_ROWS))]
            each = math.ceil(most / (world * len(mine)))
            self._shards[key] = concat([some(self.parts[i].load(), each, rng) for i in mine])
        return self._shards[key]


def _share(order: np.ndarray, rank: int, world: int) -> np.ndarray:
    """What one worker takes of things in order; all of them when there are too few to share."""
    return order[rank::world] if len(order) >= world else order


def _shuffled(parts: list[Encoded], rng: np.random.Generator) -> Encoded:
    rows = concat(parts)
    return take(rows, rng.permutation(len(rows)))
