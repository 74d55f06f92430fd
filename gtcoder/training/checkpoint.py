"""A run's state as one safetensors file: tensors, and where the run is as JSON in its header."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import safetensors.torch
from torch import Tensor

from gtcoder import __version__
from gtcoder.errors import OutputError

FORMAT_VERSION = 3
"""Of a state; one of another version is not gone on from."""


class Checkpoints(Protocol):
    """Where a run's state is kept."""

    def load(self) -> bytes | None:
        """The last state saved, on every worker."""

    def save(self, state: bytes | None) -> None:
        """Keep a state; every worker calls it equally often, those after the first with None."""


class NoCheckpoints:
    """Keeps nothing."""

    def load(self) -> bytes | None:
        """Nothing."""
        return None

    def save(self, state: bytes | None) -> None:
        """Nothing."""


@dataclass(slots=True)
class State:
    """Where a run is; what a checkpoint keeps beside the tensors."""

    epoch: int = 0
    step: int = 0
    """Steps taken in this epoch."""
    warm_over: bool = False
    """Whether the warm share ended early."""
    fitted: bool = False
    """Whether the latent mixture has been fitted."""
    fits: int = 0
    """How often it has been fitted or refreshed."""
    share: float = 0.0
    elapsed_s: float = 0.0
    row_s: float = 0.0
    """Seconds that scoring a row took, shared by the workers; 0 before the first validation."""
    ending_s: float = 0.0
    """What is known of the time that everything after the last step will take."""
    best: float = math.inf
    stale: int = 0
    """Validations since the best."""
    next_validation: float = 0.0
    next_em: float = 0.0
    stopped: str = ""
    history: list[dict[str, float]] = field(default_factory=list)


def pack(state: State, tensors: Mapping[str, Tensor]) -> bytes:
    """One file of both."""
    copied = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    told = {"format_version": str(FORMAT_VERSION), "library_version": __version__}
    return safetensors.torch.save(copied, told | {"state": json.dumps(asdict(state))})


def unpack(data: bytes) -> tuple[State, dict[str, Tensor]]:
    """The inverse of `pack`.

    Raises:
        OutputError: the state is of another format.
    """
    size = int.from_bytes(data[:8], "little")
    told = json.loads(data[8 : 8 + size])["__metadata__"]
    check_format(told.get("format_version"), told.get("library_version"))
    return State(**json.loads(told["state"])), safetensors.torch.load(data)


def check_format(version: Any, library: Any) -> None:
    """See that a training of this version, written by that gtcoder, can be gone on with.

    Raises:
        OutputError: it cannot.
    """
    if str(version) != str(FORMAT_VERSION):
        raise OutputError(
            f"the training was begun by gtcoder {library or 'of an earlier version'}, whose "
            f"checkpoints have format {version or 0}, and gtcoder {__version__} reads "
            f"{FORMAT_VERSION} only; go on with that gtcoder, or `overwrite=True` to begin anew"
        )


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under longer names."""
    return {prefix + name: value for name, value in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that carry the prefix, under their shorter names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
