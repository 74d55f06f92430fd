"""The bundles by name: which one each name stands for now, loaded once.

A bundle is known by its checksum. What lies at a URI is looked at every few seconds, so a bundle
that is replaced in place is found without a restart; the one before serves until then.
"""

import asyncio
import json
import time
from collections import OrderedDict
from dataclasses import dataclass

from gtcoder.bundle import INDEX, Bundle
from gtcoder.errors import BundleError, GTCoderError
from gtcoder.files import join, read_bytes
from serve.problems import ProblemError

_KEPT = 32
"""Bundles that an ingress replica remembers."""


@dataclass(frozen=True, slots=True)
class Model:
    """A name and the bundle it stands for."""

    name: str
    uri: str
    bundle: Bundle

    @property
    def id(self) -> str:
        """What it is multiplexed by: a new bundle under the same name is another model."""
        return f"{self.name}@{self.bundle.checksum}"


class Registry:
    """Finds models by name."""

    def __init__(self, models: dict[str, str], check_s: float) -> None:
        self.models, self._check_s = models, check_s
        self._found: OrderedDict[str, tuple[float, Model]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def find(self, name: str) -> Model:
        """The model of a name.

        Raises:
            ProblemError: there is none (404), or its bundle cannot be read (503).
        """
        uri = self.models.get(name)
        if uri is None:
            known = ", ".join(sorted(self.models)) or "none"
            raise ProblemError(404, "Unknown model", f"no model {name!r}; there are: {known}")
        known_at, model = self._found.get(name, (0.0, None))
        if model and model.uri == uri and time.monotonic() - known_at < self._check_s:
            return model
        async with self._lock:
            return await self._refreshed(name, uri)

    def forget(self, name: str) -> None:
        """Look at a bundle again when it is next asked for."""
        self._found.pop(name, None)

    async def _refreshed(self, name: str, uri: str) -> Model:
        known_at, model = self._found.get(name, (0.0, None))
        if model and model.uri == uri and time.monotonic() - known_at < self._check_s:
            return model  # someone else has looked meanwhile
        try:
            if model is None or model.uri != uri or await _changed(model):
                model = Model(name, uri, await asyncio.to_thread(Bundle.load, uri))
        except GTCoderError as error:
            if model is None or model.uri != uri:
                detail = f"the bundle of {name!r} cannot be read: {error}"
                raise ProblemError(
                    503, "Bundle cannot be read", detail, retry_after_s=10
                ) from error
        self._found[name] = (time.monotonic(), model)
        self._found.move_to_end(name)
        while len(self._found) > _KEPT:
            self._found.popitem(last=False)
        return model


async def _changed(model: Model) -> bool:
    """Whether another bundle lies at the URI; while one is being replaced, not yet."""
    try:
        index = json.loads(await asyncio.to_thread(read_bytes, join(model.uri, INDEX)))
        return bool(index["checksum"] != model.bundle.checksum)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load(uri: str, checksum: str) -> Bundle:
    """The bundle at a URI, if it is the one expected.

    Raises:
        BundleError: it is another one, or cannot be read.
    """
    bundle = Bundle.load(uri)
    if bundle.checksum != checksum:
        raise BundleError(f"{uri} has been replaced")
    return bundle
