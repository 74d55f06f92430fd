"""Concurrent requests for one model, decoded together.

What is wanted is cut in pieces; a round takes the small pieces that wait and one large one, so a
small request waits for one round, however much others want. A piece is measured by its tries at
rows, of which conditions may take several.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import accumulate, pairwise

import pyarrow as pa

from gtcoder.sampling.sample import BLOCK_ROWS, Range, Sampler

SMALL_TRIES = BLOCK_ROWS
"""Pieces of fewer tries are decoded before larger ones."""
ROUND_TRIES = 2 * BLOCK_ROWS
"""Tries of a piece at most, and of the pieces that a round takes before it is full."""
_AHEAD = 2
"""Blocks of a stream that are asked for before they are wanted."""


@dataclass(slots=True)
class _Piece:
    range: Range
    answer: asyncio.Future[pa.Table]

    @property
    def tries(self) -> int:
        return len(self.range) * self.range.plan.tries


@dataclass(frozen=True, slots=True)
class Round:
    """What was decoded together."""

    requests: int
    rows: int
    seconds: float
    waiting: int
    """Pieces left for the next round."""


Observer = Callable[[Round], None]


class Batcher:
    """Decodes for one model, in one thread."""

    def __init__(
        self,
        sampler: Sampler,
        executor: Executor,
        *,
        together: bool,
        observe: Observer,
    ) -> None:
        self.sampler, self._executor = sampler, executor
        self._together, self._observe = together, observe
        self._small: deque[_Piece] = deque()
        self._large: deque[_Piece] = deque()
        self._pump: asyncio.Task[None] | None = None

    async def draw(self, wanted: Range) -> pa.Table:
        """The rows of a range, decoded beside whatever else waits."""
        rows = min(BLOCK_ROWS, ROUND_TRIES // wanted.plan.tries)
        pieces = [self._wait(piece) for piece in _cut(wanted, rows)]
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._work())
        return pa.concat_tables(await asyncio.gather(*pieces))

    def _wait(self, wanted: Range) -> asyncio.Future[pa.Table]:
        piece = _Piece(wanted, asyncio.get_running_loop().create_future())
        (self._small if piece.tries < SMALL_TRIES else self._large).append(piece)
        return piece.answer

    async def stream(self, wanted: Range) -> AsyncIterator[pa.Table]:
        """The rows of a range in blocks; what is not taken is not drawn, but for a few ahead."""
        ahead: deque[asyncio.Task[pa.Table]] = deque()
        try:
            for piece in _cut(wanted, BLOCK_ROWS):
                ahead.append(asyncio.create_task(self.draw(piece)))
                if len(ahead) >= _AHEAD:
                    yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:
            for task in ahead:
                task.cancel()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while pieces := self._round():
            started = time.perf_counter()
            ranges = [piece.range for piece in pieces]
            try:
                tables = await loop.run_in_executor(self._executor, self._drawn, ranges)
            except Exception as error:  # whatever it is, those who wait must hear of it
                for piece in pieces:
                    if not piece.answer.done():
                        piece.answer.set_exception(error)
                continue
            for piece, table in zip(pieces, tables, strict=True):
                if not piece.answer.done():
                    piece.answer.set_result(table)
            seconds = time.perf_counter() - started
            waiting = len(self._small) + len(self._large)
            self._observe(Round(len(pieces), sum(map(len, ranges)), seconds, waiting))

    def _drawn(self, ranges: list[Range]) -> list[pa.Table]:
        """The rows of each range, drawn together."""
        table = self.sampler.table(ranges)
        if len(ranges) == 1:
            return [table]
        edges = accumulate(map(len, ranges), initial=0)
        return [_copied(table.slice(start, stop - start)) for start, stop in pairwise(edges)]

    def _round(self) -> list[_Piece]:
        """What to decode next: pieces of requests that are still wanted."""
        taken: list[_Piece] = []
        tries = 0
        for waiting, most in ((self._small, ROUND_TRIES), (self._large, ROUND_TRIES + 1)):
            while waiting and (not taken or (self._together and tries < most)):
                piece = waiting.popleft()
                if piece.answer.done():
                    continue
                taken.append(piece)
                tries += piece.tries
                if waiting is self._large:
                    break
        return taken


def _copied(part: pa.Table) -> pa.Table:
    """The same rows in memory of their own, or Arrow would write bytes of their neighbours too."""
    return pa.concat_tables([part.slice(0, 0), part]).combine_chunks()


def _cut(wanted: Range, rows: int) -> list[Range]:
    """A range in pieces that end at multiples of `rows` of the stream."""
    first = wanted.start // rows * rows
    edges = [wanted.start, *range(first + rows, wanted.stop, rows), wanted.stop]
    return [Range(wanted.plan, wanted.seed, start, stop) for start, stop in pairwise(edges)]
