"""What the routes call: finds models, has rows drawn, written, completed, scored, explained."""

import asyncio
import io
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

from gtcoder.errors import BundleError, ConfigError, GTCoderError
from gtcoder.explain import Explanation, heat_map
from gtcoder.sampling.sample import BLOCK_ROWS
from ray_jobs.jobs import Jobs
from serve.batches.batches import Batches
from serve.describe import described
from serve.http.bodies import Streamed
from serve.http.counted import RequestMetrics
from serve.http.door import Room
from serve.http.keys import Keys
from serve.http.problems import ProblemError, invalid, refused, unreadable
from serve.http.schemas import (
    Batch,
    BatchWanted,
    Complete,
    ModelInfo,
    ModelList,
    ModelName,
    Sample,
    Score,
)
from serve.registry import Registry
from serve.report import find_report, read_report
from serve.sampling.given import given, to_complete, to_score
from serve.sampling.request import checked, conditions
from serve.sampling.sampling import Sampling
from serve.settings import Settings

_SEEDS = 2**53
"""Seeds chosen here are whole numbers that any JSON reader keeps exactly."""

_JOB_S = 10.0
"""Seconds that a call to the cluster's job server may take."""

T = TypeVar("T")


class Service:
    """One replica's work."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self.settings, self.keys = settings, keys
        self.registry = Registry(dict(settings.models), settings.check_s)
        self.metrics = RequestMetrics()
        self._sampling = Sampling(settings)
        limits, root = settings.limits, settings.batch_root
        self._rooms = (
            Room("requests", limits.queue, limits.retry_after_s),
            Room("requests for batches", limits.queue, limits.retry_after_s),
        )
        self._batches = Batches(root, limits, Jobs.here(_JOB_S)) if root else None
        # Of their own: they wait for storage and jobs, and samples need the loop's few threads.
        self._batch_threads = ThreadPoolExecutor(16, "batches")

    async def check(self) -> None:
        """See that rows can still be drawn.

        Raises:
            TimeoutError: they cannot.
        """
        await self._sampling.check()

    def place(self, path: str) -> AbstractContextManager[None]:
        """Count a request among those at work; batches, which wait for others, apart.

        Raises:
            ProblemError: there are too many (503).
        """
        return self._rooms[path.startswith("/v1/batches") or path.endswith("/batches")].place()

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

    def models(self) -> ModelList:
        """The models, and what may be asked of them."""
        names = sorted(self.registry.models)
        return ModelList(
            models=[ModelName(name=name, url=f"/v1/models/{name}") for name in names],
            most_rows=self.settings.limits.rows,
            most_given=self.settings.limits.explained_rows,
            batches=self._batches is not None,
        )

    async def describe(self, name: str) -> ModelInfo:
        """What is known of a model."""
        model = await self.registry.find(name)
        return described(model, await asyncio.to_thread(find_report, model))

    async def report(self, name: str) -> bytes:
        """A model's report, an HTML page.

        Raises:
            ProblemError: it has none (404).
        """
        return await asyncio.to_thread(read_report, await self.registry.find(name))

    async def sample(
        self, name: str, wanted: Sample, accept: str | None
    ) -> tuple[bytes | Streamed, dict[str, str]]:
        """Rows now: the body, or what streams it, and its headers."""
        model = await self.registry.find(name)
        seed = wanted.seed if wanted.seed is not None else secrets.randbelow(_SEEDS)
        request = checked(model, wanted, seed=seed, accept=accept, most=self.settings.limits.rows)
        headers = {
            "Content-Type": request.media_type,
            "GTCoder-Seed": str(request.seed),
            "GTCoder-Checksum": model.bundle.checksum,
        }
        with _refusing(name):
            if warning := await self._sampling.warning(model, request):
                headers["GTCoder-Warning"] = warning
            if request.rows <= BLOCK_ROWS:
                return await self._sampling.small(model, request), headers
            return await self._sampling.streamed(model, request, headers), headers

    async def explain(self, name: str, rows: list[dict[str, Any]] | None) -> dict[str, Any]:
        """The explanation of a model, or of given rows."""
        model = await self.registry.find(name)
        if rows is None:
            try:
                return _ordered(Explanation.from_dict(model.bundle.explanation).to_dict())
            except ConfigError as error:
                raise invalid("model", str(error)) from error
        table = await asyncio.to_thread(given, model, rows, self.settings.limits.explained_rows)
        with _refusing(name):
            return _ordered(await self._sampling.explained(model, table))

    async def complete(self, name: str, wanted: Complete, accept: str | None) -> Streamed:
        """Given rows with what is missing of them drawn."""
        model, most = await self.registry.find(name), self.settings.limits.explained_rows
        seed = wanted.seed if wanted.seed is not None else secrets.randbelow(_SEEDS)
        read = partial(to_complete, model, wanted, seed=seed, accept=accept, most=most)
        request = await asyncio.to_thread(read)
        with _refusing(name):
            return await self._sampling.completed(model, request)

    async def score(self, name: str, wanted: Score) -> Streamed:
        """How likely given rows are."""
        model, most = await self.registry.find(name), self.settings.limits.explained_rows
        table = await asyncio.to_thread(to_score, model, wanted.rows, most)
        with _refusing(name):
            return await self._sampling.scored(model, table, columns=wanted.columns)

    async def picture(self, explanation: dict[str, Any]) -> bytes:
        """The heat map of an explanation, a PNG."""
        buffer = io.BytesIO()
        await asyncio.to_thread(heat_map, Explanation.from_dict(explanation), buffer)
        return buffer.getvalue()

    async def start_batch(
        self, name: str, wanted: BatchWanted, *, owner: str, key: str | None
    ) -> Batch:
        """Begin a bulk batch."""
        batches = self.batches
        model = await self.registry.find(name)
        conditions(model, wanted.where)
        if wanted.rows > self.settings.limits.batch_rows:
            raise invalid("rows", f"expected at most {self.settings.limits.batch_rows:,}")
        seed = wanted.seed if wanted.seed is not None else _seed_of(owner, key)
        return await self.on_batches(batches.start, owner, model, wanted, key, seed)


def _ordered(explanation: dict[str, Any]) -> dict[str, Any]:
    """The same with its columns in a list: not every reader of JSON keeps the order of names."""
    return {"columns": [*explanation["contributions"]], **explanation}


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """What the library finds wrong is a problem, of the request (422) or of the bundle (503)."""
    try:
        yield
    except BundleError as error:
        raise unreadable(name, error) from error
    except GTCoderError as error:
        raise refused(error, "body") from error


def _seed_of(owner: str, key: str | None) -> int:
    """A batch's seed where none is given: two starts with one key must mean the same rows."""
    if key is None:
        return secrets.randbelow(_SEEDS)
    return int(sha256(f"seed {owner} {key}".encode()).hexdigest(), 16) % _SEEDS
