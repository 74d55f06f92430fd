"""The rows a model is trained on: encoded once, streamed every epoch.

The order of every epoch follows from a seed alone, so a run can go on in mid-epoch after a crash.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from gtcoder.codec.layout import Encoded, Layout, concat, some, take
from gtcoder.seeds import Purpose, generator
from gtcoder.training.rows.held_out import held_out
from gtcoder.training.rows.parts import Part, open_parts, stored

WINDOW_ROWS = 2_000_000
"""Rows a worker has in memory at most: a smaller table whole, of a larger one two halves."""
WINDOW_VALUES = 1 << 25
"""And never many more codes than these (200 MB), however wide the rows."""


@dataclass(slots=True)
class EncodedRows:
    """Training rows in parts; held-out rows, and a sample of the others, in memory."""

    parts: Sequence[Part]
    validation: Encoded
    sample: Encoded | None = None
    """Of the training rows; needed where they do not fit the window."""
    _whole: Encoded | None = field(default=None, init=False)

    @classmethod
    def of(cls, encoded: Encoded, *, seed: int, validation_fraction: float) -> Self:
        """Rows already in memory, split as `write_part` splits them."""
        held, encoded = held_out(encoded, seed, validation_fraction), stored(encoded)
        train = take(encoded, ~held)
        rows = cls([Part(len(train), lambda: train)], take(encoded, held))
        rows._whole = train  # however many: they are in memory
        return rows

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

    @property
    def _window_rows(self) -> int:
        return window_rows(self.validation.codes.shape[1])

    def whole(self) -> Encoded | None:
        """All training rows when they fit the window, loaded once; else nothing."""
        if self._whole is None and self.rows <= self._window_rows:
            self._whole = concat([part.load() for part in self.parts])
        return self._whole

    def batches(
        self, *, seed: int, epoch: int, rank: int, world: int, batch_rows: int, skip: int = 0
    ) -> Iterator[Encoded]:
        """Endless batches of one worker for one epoch, in an order that the arguments decide.

        A worker's share of a table that does not fit the window is every `world`-th part, shuffled
        within windows; when a share runs out early it starts over, so that all workers can take
        equally many steps. The first `skip` batches are passed over; windows that hold none but
        those are not read.
        """
        while True:
            windows = list[Part]()
            for window in self._windows(seed, epoch, rank, world):
                count = _batches(window, batch_rows)
                if windows or skip < count:
                    windows.append(window)
                else:
                    skip -= count
            for rows in _read_ahead(windows):
                if len(rows) < batch_rows:
                    rows = take(rows, np.arange(batch_rows) % len(rows))
                for start in range(skip * batch_rows, len(rows) - batch_rows + 1, batch_rows):
                    yield take(rows, slice(start, start + batch_rows))
                skip = 0
            epoch += 1 << 20

    def _windows(self, seed: int, epoch: int, rank: int, world: int) -> Iterator[Part]:
        """The worker's shuffled windows of an epoch; their rows are known before they are read."""
        rng = generator(seed, Purpose.ORDER, epoch)
        whole = self.whole()
        if whole is not None:
            order = _share(rng.permutation(len(whole)), rank, world)
            yield Part(len(order), lambda: take(whole, order))
            return
        pending: list[Part] = []
        number = 0
        for index in _share(rng.permutation(len(self.parts)), rank, world):
            pending.append(self.parts[index])
            if sum(part.rows for part in pending) >= self._window_rows // 2:
                yield _shuffled(pending, generator(seed, Purpose.WINDOW, epoch, rank, number))
                pending, number = [], number + 1
        if pending:
            yield _shuffled(pending, generator(seed, Purpose.WINDOW, epoch, rank, number))

    def shard(self, *, rank: int, world: int, most: int, seed: int) -> Encoded:
        """One worker's part of about `most` training rows, drawn over the whole table."""
        rows = self.whole()
        if rows is None:
            assert self.sample is not None, "a table beyond the window has a sample"
            rows = self.sample
        kept = some(rows, most, generator(seed, Purpose.SAMPLE))
        return take(kept, _share(np.arange(len(kept)), rank, world))


def window_rows(fields: int) -> int:
    """Rows of so many fields that a worker has in memory at most."""
    return max(1, min(WINDOW_ROWS, WINDOW_VALUES // max(fields, 1)))


def _batches(window: Part, batch_rows: int) -> int:
    """How many batches a window gives: one at least, if it has any row."""
    return window.rows // batch_rows or int(window.rows > 0)


def _read_ahead(windows: Sequence[Part]) -> Iterator[Encoded]:
    """The rows of each window with some; those of the next are read while they are used."""
    reader, coming = ThreadPoolExecutor(1), deque[Future[Encoded]]()
    try:
        for window in windows:
            if window.rows:
                coming.append(reader.submit(window.load))
            if len(coming) > 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        reader.shutdown(wait=False, cancel_futures=True)  # an epoch may end before its windows


def _share(order: np.ndarray, rank: int, world: int) -> np.ndarray:
    """What one worker takes of things in order; of too few to share all, each others first."""
    return order[rank::world] if len(order) >= world else np.roll(order, -rank)


def _shuffled(parts: Sequence[Part], rng: np.random.Generator) -> Part:
    """The parts' rows together in random order, once they are asked for."""

    def load() -> Encoded:
        rows = concat([part.load() for part in parts])
        return take(rows, rng.permutation(len(rows)))

    return Part(sum(part.rows for part in parts), load)
