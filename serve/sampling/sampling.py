"""The drawing in a replica: holds models, draws, writes bodies, completes, scores, explains.

A model is loaded when it is first asked for; the least recently used is put away.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any

import pyarrow as pa
import torch

from gtcoder.sampling.sample import BLOCK_ROWS, Range
from gtcoder.training.options import device_named
from serve.formats import JSON
from serve.http.bodies import InFlight, Streamed
from serve.http.problems import invalid
from serve.registry import Model
from serve.sampling.given import CompleteRequest, Completion, score_pieces
from serve.sampling.loaded import LoadedModel
from serve.sampling.metrics import SamplingMetrics
from serve.sampling.request import SampleRequest
from serve.settings import Settings

_STUCK_S = 120.0
"""A thread that has not answered for so long does not come back."""


class Sampling:
    """Holds models and draws from them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        torch.set_num_threads(settings.threads)
        self._device = str(device_named(settings.device))
        self._executor = ThreadPoolExecutor(1, "decode")
        self._writing = ThreadPoolExecutor(2, "write")
        self._metrics = SamplingMetrics()
        limits = settings.limits
        self._in_flight = InFlight(limits.in_flight_bytes, limits.retry_after_s)
        self._loaded: OrderedDict[tuple[str, str], asyncio.Task[LoadedModel]] = OrderedDict()

    async def check(self) -> None:
        """See that the decoding thread still answers.

        Raises:
            TimeoutError: it does not.
        """
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.run_in_executor(self._executor, int), _STUCK_S)

    async def warning(self, model: Model, request: SampleRequest) -> str:
        """One line where the conditions of a request are met badly, else nothing."""
        return (await self._range(await self._load(model), request)).plan.warning

    async def small(self, model: Model, request: SampleRequest) -> bytes:
        """A whole body."""
        loaded = await self._load(model)
        table = await loaded.batcher.draw(await self._range(loaded, request))
        writer = loaded.writer(request)
        return writer.rows(loaded.selected(table, request)) + writer.end()

    async def streamed(
        self, model: Model, request: SampleRequest, headers: dict[str, str]
    ) -> Streamed:
        """A stream whose first piece is there, and whose room is reserved.

        Raises:
            ProblemError: the body would be too large (422), or there is no room for it (503).
        """
        loaded = await self._load(model)
        async with AsyncExitStack() as stack:
            chunks = await stack.enter_async_context(aclosing(self._chunks(loaded, request)))
            first, rows = await anext(chunks), BLOCK_ROWS - request.offset % BLOCK_ROWS
            if rows < BLOCK_ROWS // 2:  # too few to tell by
                first, rows = first + await anext(chunks), rows + BLOCK_ROWS
            size = int(len(first) * request.rows / min(request.rows, rows))
            most = self._settings.limits.response_bytes
            if size > most:
                rows = int(request.rows * most / size)
                raise invalid("rows", f"about {size:,} bytes; at most about {rows:,} rows fit")
            stack.callback(self._in_flight.reserve(size).release)
            return Streamed(_joined(first, chunks), headers, stack.pop_all())

    async def explained(self, model: Model, table: pa.Table) -> dict[str, Any]:
        """The explanation of given rows."""
        loaded, loop = await self._load(model), asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, loaded.explained, table)

    async def completed(self, model: Model, request: CompleteRequest) -> Streamed:
        """Given rows with what they lack, whose room is reserved.

        Raises:
            ProblemError: the body would be too large (422), or there is no room for it (503).
        """
        loaded = await self._load(model)
        completion = Completion(lambda: loaded.completer, request)
        async with AsyncExitStack() as stack:
            body, headers = completion.whole(await self._made(completion.pieces, stack))
            headers["GTCoder-Checksum"] = model.bundle.checksum
            return Streamed(_joined(body), headers, stack.pop_all())

    async def scored(self, model: Model, table: pa.Table, *, columns: bool) -> Streamed:
        """The scores of given rows, whose room is reserved.

        Raises:
            ProblemError: the body would be too large (422), or there is no room for it (503).
        """
        loaded = await self._load(model)
        pieces = score_pieces(partial(loaded.scored, columns=columns), table)
        async with AsyncExitStack() as stack:
            records = await self._made(pieces, stack)
            body = b'{"rows":[' + records.removeprefix(b",") + b"]}"
            return Streamed(_joined(body), {"Content-Type": JSON}, stack.pop_all())

    async def _made(self, pieces: Sequence[Callable[[], bytes]], stack: AsyncExitStack) -> bytes:
        """What pieces give, one after another, with others' rows drawn between them."""
        loop = asyncio.get_running_loop()
        made = [await loop.run_in_executor(self._executor, pieces[0])]
        size, most = len(made[0]) * len(pieces), self._settings.limits.response_bytes
        if size > most:
            raise invalid("rows", f"about {size:,} bytes; expected at most {most:,}, so fewer rows")
        stack.callback(self._in_flight.reserve(size).release)
        for piece in pieces[1:]:
            made.append(await loop.run_in_executor(self._executor, piece))
        return b"".join(made)

    async def _range(self, loaded: LoadedModel, request: SampleRequest) -> Range:
        """The rows that a request wants; new conditions take the time of thousands of rows."""
        if not request.where:
            return loaded.range(request)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, loaded.range, request)

    async def _chunks(self, loaded: LoadedModel, request: SampleRequest) -> AsyncIterator[bytes]:
        """The body of a large request, piece by piece."""
        writer, loop = loaded.writer(request), asyncio.get_running_loop()
        wanted = await self._range(loaded, request)
        async with aclosing(loaded.batcher.stream(wanted)) as tables:
            async for table in tables:
                chosen = loaded.selected(table, request)
                yield await loop.run_in_executor(self._writing, writer.rows, chosen)
        yield writer.end()

    async def _load(self, model: Model) -> LoadedModel:
        """A model ready to draw from; requests that come together wait for one loading."""
        key = model.name, model.bundle.checksum
        if key not in self._loaded:
            make = partial(
                LoadedModel,
                model.bundle,
                self._executor,
                device=self._device,
                together=self._settings.batching,
                observe=partial(self._metrics.saw, model.name),
            )
            self._loaded[key] = asyncio.create_task(asyncio.to_thread(make))
        self._loaded.move_to_end(key)
        loading = self._loaded[key]
        while len(self._loaded) > self._settings.models_per_replica:
            self._loaded.popitem(last=False)
        try:
            return await asyncio.shield(loading)
        except Exception:
            self._loaded.pop(key, None)
            raise


async def _joined(first: bytes, chunks: AsyncIterator[bytes] | None = None) -> AsyncIterator[bytes]:
    yield first
    if chunks is not None:
        async for chunk in chunks:
            yield chunk
