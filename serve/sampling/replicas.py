"""The sampling replicas, as the ingress asks them: one may die, a bundle be replaced meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeVar

import pyarrow as pa
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from gtcoder.errors import BundleError, GTCoderError
from gtcoder.sampling.sample import BLOCK_ROWS
from serve.http.bodies import InFlight, Streamed
from serve.http.problems import ProblemError, full, invalid, refused
from serve.registry import Model, Registry
from serve.sampling.gatherer import SMALL_ROWS, Gatherer
from serve.sampling.request import SampleRequest
from serve.settings import Limits

_TRIES = 3
"""How often a request is given to a replica before it is given up."""

T = TypeVar("T")


class Replicas:
    """Asks one of them for rows or an explanation."""

    def __init__(
        self, handle: DeploymentHandle, registry: Registry, limits: Limits, *, together: bool
    ) -> None:
        self._sampling, self._registry, self._limits = handle, registry, limits
        self._in_flight = InFlight(limits.in_flight_bytes, limits.retry_after_s)
        self._gatherer = Gatherer(together=together)
        self._alone = Gatherer(together=False)

    async def tried(self, name: str, ask: Callable[[Model], Awaitable[T]]) -> T:
        """What a replica answers; another is asked if one dies, and again if a bundle was replaced.

        Rows follow from the request alone, so asking twice does no harm.
        """
        for left in reversed(range(_TRIES)):
            model = await self._registry.find(name)
            try:
                return await ask(model)
            except BackPressureError as error:
                raise full("all replicas are at work", self._limits.retry_after_s) from error
            except (RayActorError, DeploymentUnavailableError) as error:
                if not left:
                    detail = "the replica at work died; try again"
                    raise ProblemError(503, "Replica died", detail, retry_after_s=1) from error
                await asyncio.sleep(0.5)
            except BundleError as error:  # from a replica it is a RayTaskError as well
                if not left:
                    detail = f"the bundle of {name!r} is being replaced; try again"
                    raise ProblemError(
                        503, "Bundle is being replaced", detail, retry_after_s=1
                    ) from error
                await asyncio.sleep(0.5)
                self._registry.doubt(name)
            except GTCoderError as error:
                cause = error.cause if isinstance(error, RayTaskError) else error
                raise refused(cause, "body") from error
        raise AssertionError("each try returns or raises")

    async def small(self, model: Model, request: SampleRequest) -> bytes:
        """A whole body; requests that are soon done go to a replica together."""
        handle = self._handle(model)
        soon = request.rows <= SMALL_ROWS and not request.where
        gatherer = self._gatherer if soon else self._alone
        return await gatherer.answer(model.id, request, handle.sample.remote)

    async def streamed(
        self, model: Model, request: SampleRequest, headers: dict[str, str]
    ) -> Streamed:
        """A stream whose first piece is there, and whose room is reserved."""
        stack = AsyncExitStack()
        try:
            chunks, first = await self._first(model, request)
            await stack.enter_async_context(aclosing(chunks))
            size = int(len(first) * request.rows / min(request.rows, BLOCK_ROWS))
            most = self._limits.response_bytes
            if size > most:
                rows = int(request.rows * most / size)
                raise invalid("rows", f"about {size:,} bytes; at most about {rows:,} rows fit")
            stack.callback(self._in_flight.reserve(size).release)
        except BaseException:
            await stack.aclose()
            raise
        return Streamed(_joined(first, chunks), headers, stack)

    async def explained(self, model: Model, table: pa.Table) -> dict[str, Any]:
        """The explanation of given rows."""
        return await self._handle(model).explain.remote(table)

    async def _first(self, model: Model, request: SampleRequest) -> tuple["_Chunks", bytes]:
        chunks = _Chunks(self._handle(model).options(stream=True).stream.remote(request))
        return chunks, await anext(chunks)

    def _handle(self, model: Model) -> DeploymentHandle:
        return self._sampling.options(multiplexed_model_id=model.id)


class _Chunks:
    """A replica's answer as an async generator that stops the replica's work when it is closed."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __aiter__(self) -> "_Chunks":
        return self

    async def __anext__(self) -> bytes:
        chunk: bytes = await self._answer.__anext__()
        return chunk

    async def aclose(self) -> None:
        """Stop."""
        self._answer.cancel()


async def _joined(first: bytes, chunks: _Chunks) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk
