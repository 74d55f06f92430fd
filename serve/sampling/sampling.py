"""The deployment that holds models: draws, writes bodies, explains.

A model is loaded when it is first asked for; the least recently used is put away.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pyarrow as pa
import torch
from ray import serve

from gtcoder.errors import BundleError
from serve.sampling.loaded import LoadedModel
from serve.sampling.metrics import SamplingMetrics
from serve.sampling.request import SampleRequest
from serve.settings import Settings, models_of

_STUCK_S = 120.0
"""A thread that has not answered for so long does not come back."""


class Sampling:
    """Holds models and draws from them."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = Settings.model_validate(settings)
        self._models = dict(self._settings.models)
        torch.set_num_threads(self._settings.threads)
        self._executor = ThreadPoolExecutor(1, "decode")
        self._writing = ThreadPoolExecutor(2, "write")
        self._metrics = SamplingMetrics()

        async def load(model_id: str) -> LoadedModel:
            return await self._load(model_id)

        self._model = serve.multiplexed(
            max_num_models_per_replica=self._settings.models_per_replica
        )(load)

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take the models of a new configuration; requests under way keep theirs."""
        self._models = models_of(user_config)

    async def check_health(self) -> None:
        """See that the decoding thread still answers."""
        await asyncio.wait_for(
            asyncio.get_running_loop().run_in_executor(self._executor, int), _STUCK_S
        )

    async def sample(self, requests: list[SampleRequest]) -> list[bytes | Exception]:
        """The whole body of each small request, or what is wrong with it."""
        model = await self._model(serve.get_multiplexed_model_id())
        bodies = (self._sample(model, request) for request in requests)
        answers = await asyncio.gather(*bodies, return_exceptions=True)
        return [_answer(each) for each in answers]

    async def _sample(self, model: LoadedModel, request: SampleRequest) -> bytes:
        table = await model.batcher.draw(model.range(request))
        writer = model.writer(request)
        return writer.rows(model.selected(table, request)) + writer.end()

    async def stream(self, request: SampleRequest) -> AsyncIterator[bytes]:
        """The body of a large request, piece by piece."""
        model = await self._model(serve.get_multiplexed_model_id())
        writer, loop = model.writer(request), asyncio.get_running_loop()
        async for table in model.batcher.stream(model.range(request)):
            chosen = model.selected(table, request)
            yield await loop.run_in_executor(self._writing, writer.rows, chosen)
        yield writer.end()

    async def explain(self, table: pa.Table) -> dict[str, Any]:
        """The explanation of given rows."""
        model = await self._model(serve.get_multiplexed_model_id())
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, model.explained, table)

    async def _load(self, model_id: str) -> LoadedModel:
        name, _, checksum = model_id.partition("@")
        if name not in self._models:
            raise BundleError(f"no model {name!r}")
        make = partial(
            LoadedModel,
            self._models[name],
            checksum,
            self._executor,
            together=self._settings.batching,
            observe=partial(self._metrics.saw, name),
        )
        return await asyncio.to_thread(make)


def _answer(given: bytes | BaseException) -> bytes | Exception:
    if isinstance(given, bytes | Exception):
        return given
    raise given
