"""The bundles by name: which one each name stands for now, loaded once.

A bundle is known by its checksum. What lies at a URI is looked at every few seconds, so a bundle
that is replaced in place is found without a restart; the one before serves until then.
"""

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Self, cast

from gtcoder.bundle import Bundle
from gtcoder.errors import GTCoderError
from gtcoder.revisions import read_index, written
from serve.http.problems import ProblemError, unreadable

_NEVER = -math.inf
_KEPT = 32
"""Bundles that a replica remembers."""


@dataclass(frozen=True, slots=True)
class Model:
    """A name and the bundle it stands for."""

    name: str
    uri: str
    bundle: Bundle
    written: datetime
    """When the bundle was."""

    @classmethod
    def load(cls, name: str, uri: str) -> Self:
        """Read the bundle.

        Raises:
            BundleError: there is none, or it is damaged.
        """
        return cls(name, uri, Bundle.load(uri), written(uri))


class Registry:
    """Finds models by name."""

    def __init__(self, models: dict[str, str], check_s: float) -> None:
        self.models, self._check_s = models, check_s
        self._found: OrderedDict[str, tuple[float, Model]] = OrderedDict()
        self._looking: dict[tuple[str, str], asyncio.Task[Model]] = {}

    async def find(self, name: str) -> Model:
        """The model of a name.

        Raises:
            ProblemError: there is none (404), or its bundle cannot be read (503).
        """
        uri = self.models.get(name)
        if uri is None:
            known = ", ".join(sorted(self.models)) or "none"
            raise ProblemError(404, "Unknown model", f"no model {name!r}; there are: {known}")
        known_at, model = self._found.get(name, (_NEVER, None))
        here = model is not None and model.uri == uri
        if here and time.monotonic() - known_at < self._check_s:
            return cast(Model, model)
        if (name, uri) not in self._looking:
            look = asyncio.create_task(self._refreshed(name, uri))
            self._looking[name, uri] = look
            look.add_done_callback(lambda _: self._looking.pop((name, uri), None))
        if here and known_at > _NEVER:  # storage may be slow, and this one is fine meanwhile
            return cast(Model, model)
        return await asyncio.shield(self._looking[name, uri])

    async def _refreshed(self, name: str, uri: str) -> Model:
        _, model = self._found.get(name, (_NEVER, None))
        try:
            if model is None or model.uri != uri or await _changed(model):
                model = await asyncio.to_thread(Model.load, name, uri)
        except GTCoderError as error:
            if model is None or model.uri != uri:
                raise unreadable(name, error) from error
        self._found[name] = (time.monotonic(), model)
        self._found.move_to_end(name)
        while len(self._found) > _KEPT:
            self._found.popitem(last=False)
        return model


async def _changed(model: Model) -> bool:
    """Whether another bundle lies at the URI."""
    index = await asyncio.to_thread(read_index, model.uri)
    return bool(index["checksum"] != model.bundle.checksum)
