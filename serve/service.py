"""What the routes call: checks requests against models and limits, and asks the replicas."""

import asyncio
import io
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, contextmanager
from hashlib import sha256
from typing import Any, TypeVar

from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from gtcoder.errors import BundleError, ConditionError, ConfigError, GTCoderError
from gtcoder.explain import Explanation, heat_map
from gtcoder.sampling.sample import BLOCK_ROWS
from gtcoder.where.constraint import constraints
from gtcoder.where.written import Where, from_json
from ray_jobs.jobs import Jobs
from serve.batches.batches import Batches
from serve.formats import WRITERS, chosen, to_table
from serve.gatherer import SMALL_ROWS, Gatherer
from serve.http.bodies import InFlight, Streamed
from serve.http.keys import Keys
from serve.http.problems import ProblemError, full, invalid, refused
from serve.http.schemas import BatchWanted, Column, ModelInfo, Sample
from serve.loaded import SampleRequest
from serve.metrics import RequestMetrics
from serve.registry import Model, Registry
from serve.settings import Settings

_TRIES = 3
"""How often a request is given to a replica: one may die, or a bundle be replaced meanwhile."""
_CATEGORIES = 200
"""Categories of a column that are shown."""
_SEEDS = 2**53
"""Seeds chosen here are whole numbers that any JSON reader keeps exactly."""

T = TypeVar("T")


class Service:
    """One ingress replica's work."""

    def __init__(self, settings: Settings, keys: Keys, sampling: DeploymentHandle) -> None:
        self.settings, self.keys, self._sampling = settings, keys, sampling
        self.registry = Registry(dict(settings.models), settings.check_s)
        self.metrics = RequestMetrics()
        limits = settings.limits
        self._in_flight = InFlight(limits.in_flight_bytes, limits.retry_after_s)
        self._gatherer = Gatherer(together=settings.batching)
        self._alone = Gatherer(together=False)
        self._at_work = 0
        root = settings.batch_root
        self._batches = Batches(root, limits, Jobs.here()) if root else None
        # Of their own: they wait for storage and jobs, and samples need the loop's few threads.
        self._batch_threads = ThreadPoolExecutor(8, "batches")

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a request among those at work.

        Raises:
            ProblemError: there are too many (503).
        """
        if self._at_work >= self.settings.limits.queue:
            raise full(f"{self._at_work} requests are at work", self.settings.limits.retry_after_s)
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1

    def saw(self, model: str, call: str, status: int) -> None:
        """Count an answer; a name that no model has would be a series of its own."""
        self.metrics.saw(model if model in self.registry.models else "", call, status)

    async def on_batches(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do what waits for storage or jobs beside everything else."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._batch_threads, work, *arguments)

    @property
    def batches(self) -> Batches:
        """The bulk batches.

        Raises:
            ProblemError: the service was started without them (404).
        """
        if self._batches is None:
            detail = "this service was started without --batch-root, so it has no bulk batches"
            raise ProblemError(404, "No batches", detail)
        return self._batches

    async def describe(self, name: str) -> ModelInfo:
        """What is known of a model."""
        bundle = (await self.registry.find(name)).bundle
        learned = {field.name for field in bundle.codec.layout.fields}
        known = bundle.codec.describe()
        columns = [
            _column(f.name, str(f.type), known[f.name], f.name in learned)
            for f in bundle.schema.arrow
        ]
        rows = bundle.info.get("rows")
        return ModelInfo(name=name, checksum=bundle.checksum, rows_trained_on=rows, columns=columns)

    async def sample(
        self, name: str, wanted: Sample, accept: str | None
    ) -> tuple[bytes | Streamed, dict[str, str]]:
        """Rows now: the body, or what streams it, and its headers."""
        seed = wanted.seed if wanted.seed is not None else secrets.randbelow(_SEEDS)
        return await self._tried(name, lambda model: self._sampled(model, wanted, seed, accept))

    async def _sampled(
        self, model: Model, wanted: Sample, seed: int, accept: str | None
    ) -> tuple[bytes | Streamed, dict[str, str]]:
        request = self._request(model, wanted, seed, accept)
        headers = {
            "Content-Type": request.media_type,
            "GTCoder-Seed": str(request.seed),
            "GTCoder-Checksum": model.bundle.checksum,
        }
        if request.rows <= BLOCK_ROWS:
            return await self._small(model, request), headers
        return await self._streamed(model, request, headers), headers

    async def explain(self, name: str, rows: list[dict[str, Any]] | None) -> dict[str, Any]:
        """The explanation of a model, or of given rows."""
        model = await self.registry.find(name)
        if rows is None:
            try:
                return Explanation.from_dict(model.bundle.explanation).to_dict()
            except ConfigError as error:
                raise invalid("model", str(error)) from error
        most = self.settings.limits.explained_rows
        if len(rows) > most:
            raise invalid("rows", f"expected at most {most:,} rows, found {len(rows):,}")
        try:
            table = await asyncio.to_thread(to_table, rows, model.bundle.schema.arrow)
        except ValueError as error:
            raise invalid("rows", str(error)) from error
        return await self._tried(name, lambda one: self._handle(one).explain.remote(table))

    async def picture(self, explanation: dict[str, Any]) -> bytes:
        """The heat map of an explanation, a PNG."""
        buffer = io.BytesIO()
        await asyncio.to_thread(heat_map, Explanation.from_dict(explanation), buffer)
        return buffer.getvalue()

    async def start_batch(self, name: str, wanted: BatchWanted, key: str | None) -> Any:
        """Begin a bulk batch."""
        batches = self.batches
        model = await self.registry.find(name)
        self._constrain(model, wanted.where)
        if wanted.rows > self.settings.limits.batch_rows:
            raise invalid("rows", f"expected at most {self.settings.limits.batch_rows:,}")
        seed = wanted.seed if wanted.seed is not None else _seed_of(key)
        return await self.on_batches(batches.start, model, wanted, key, seed)

    def _request(
        self, model: Model, wanted: Sample, seed: int, accept: str | None
    ) -> SampleRequest:
        most = self.settings.limits.rows
        if wanted.rows > most:
            raise invalid(
                "rows",
                f"expected at most {most:,}, found {wanted.rows:,}; ask for a bulk batch "
                f"(POST /v1/models/{model.name}/batches)",
            )
        media_type = chosen(accept, list(WRITERS))
        if media_type is None:
            raise ProblemError(
                406, "Not acceptable", f"Accept: expected one of {', '.join(WRITERS)}"
            )
        return SampleRequest(
            rows=wanted.rows,
            seed=seed,
            where=self._constrain(model, wanted.where),
            columns=_columns(model, wanted.columns),
            media_type=media_type,
        )

    def _constrain(self, model: Model, where: Any) -> Where:
        try:
            plain = from_json(where if where is not None else [])
            constraints(model.bundle.codec, plain)
        except ConditionError as error:
            raise refused(error, "where") from error
        return plain

    async def _small(self, model: Model, request: SampleRequest) -> bytes:
        """A whole body; requests that are soon done go to a replica together."""
        handle = self._handle(model)
        soon = request.rows <= SMALL_ROWS and not request.where
        gatherer = self._gatherer if soon else self._alone
        return await gatherer.answer(model.id, request, handle.sample.remote)

    async def _streamed(
        self, model: Model, request: SampleRequest, headers: dict[str, str]
    ) -> Streamed:
        """A stream whose first piece is there, and whose room is reserved."""
        stack = AsyncExitStack()
        try:
            chunks, first = await self._first(model, request)
            await stack.enter_async_context(aclosing(chunks))
            size = int(len(first) * request.rows / min(request.rows, BLOCK_ROWS))
            most = self.settings.limits.response_bytes
            if size > most:
                rows = int(request.rows * most / size)
                raise invalid("rows", f"about {size:,} bytes; at most about {rows:,} rows fit")
            stack.callback(self._in_flight.reserve(size).release)
        except BaseException:
            await stack.aclose()
            raise
        return Streamed(_joined(first, chunks), headers, stack)

    async def _first(self, model: Model, request: SampleRequest) -> tuple["_Chunks", bytes]:
        chunks = _Chunks(self._handle(model).options(stream=True).stream.remote(request))
        return chunks, await anext(chunks)

    def _handle(self, model: Model) -> DeploymentHandle:
        return self._sampling.options(multiplexed_model_id=model.id)

    async def _tried(self, name: str, ask: Callable[[Model], Awaitable[T]]) -> T:
        """What a replica answers; another is asked if one dies, and again if a bundle was replaced.

        Rows follow from the request alone, so asking twice does no harm.
        """
        for left in reversed(range(_TRIES)):
            model = await self.registry.find(name)
            try:
                return await ask(model)
            except BackPressureError as error:
                raise full(
                    "all replicas are at work", self.settings.limits.retry_after_s
                ) from error
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
                self.registry.doubt(name)
            except GTCoderError as error:
                cause = error.cause if isinstance(error, RayTaskError) else error
                raise refused(cause, "body") from error
        raise AssertionError("each try returns or raises")


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


def _seed_of(key: str | None) -> int:
    """A batch's seed where none is given: two starts with one key must mean the same rows."""
    if key is None:
        return secrets.randbelow(_SEEDS)
    return int(sha256(f"seed {key}".encode()).hexdigest(), 16) % _SEEDS


def _columns(model: Model, names: list[str] | None) -> tuple[str, ...] | None:
    known = model.bundle.schema.names
    if names is None:
        return None
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise invalid("columns", f"no column {unknown!r}; there are: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise invalid("columns", "expected each column once")
    return tuple(names)


def _column(name: str, kind: str, known: dict[str, Any], conditions: bool) -> Column:
    categories = known.get("categories")
    return Column(
        name=name,
        type=kind,
        kind=known["kind"],
        conditions=conditions,
        categories=[_plain(each) for each in categories[:_CATEGORIES]] if categories else None,
        categories_in_all=len(categories) if categories else None,
        low=_plain(known.get("low")),
        high=_plain(known.get("high")),
        missing=known.get("missing"),
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)
