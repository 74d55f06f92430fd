"""Small requests that come while an answer is awaited, sent to a replica in one call.

A call between replicas costs more than drawing a hundred rows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from serve.sampling.request import SampleRequest

SMALL_ROWS = 1_024
"""Rows of a request that may be sent with others: a call takes as long as its slowest request."""
CALLS = 2
"""Calls under way at once, for one model."""
REQUESTS = 64
"""Requests of one call."""

Answer = bytes | Exception
Ask = Callable[[list[SampleRequest]], Awaitable[list[Answer]]]


@dataclass(slots=True)
class _Line:
    """What waits for one model."""

    waiting: list[tuple[SampleRequest, asyncio.Future[bytes]]] = field(default_factory=list)
    calls: set[asyncio.Task[None]] = field(default_factory=set)


class Gatherer:
    """Sends what waits as soon as a call is free; alone, a request is sent at once."""

    def __init__(self, *, together: bool) -> None:
        self._together = together
        self._lines: dict[str, _Line] = {}

    async def answer(self, model_id: str, request: SampleRequest, ask: Ask) -> bytes:
        """A replica's answer to a request.

        Args:
            model_id: requests for the same model go together.
            request: what is wanted.
            ask: asks a replica; gives a body or an error for each request, in their order.
        """
        if not self._together:
            return _opened((await ask([request]))[0])
        line = self._lines.setdefault(model_id, _Line())
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        line.waiting.append((request, future))
        if len(line.calls) < CALLS:
            line.calls.add(asyncio.create_task(self._work(line, ask)))
        try:
            return await future
        finally:
            if not line.waiting and not line.calls:
                self._lines.pop(model_id, None)

    async def _work(self, line: _Line, ask: Ask) -> None:
        """One call after another until nothing waits; who comes then starts a call again."""
        try:
            await self._asked(line, ask)
        finally:  # at once: a callback would run only after others have seen this call as under way
            line.calls.discard(asyncio.current_task())  # type: ignore[arg-type]

    async def _asked(self, line: _Line, ask: Ask) -> None:
        while line.waiting:
            taken, line.waiting = line.waiting[:REQUESTS], line.waiting[REQUESTS:]
            wanted = [(request, future) for request, future in taken if not future.done()]
            if not wanted:
                continue
            try:
                answers = await ask([request for request, _ in wanted])
            except Exception as error:  # whoever waits must hear of it, whatever it is
                answers = [error] * len(wanted)
            for (_, future), answer in zip(wanted, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)


def _opened(answer: Answer) -> bytes:
    if isinstance(answer, Exception):
        raise answer
    return answer
