"""A run's state as one safetensors file: tensors, and where the run is as JSON in its header."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol

import safetensors.torch
from torch import Tensor


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
    return safetensors.torch.save(copied, {"state": json.dumps(asdict(state))})


def unpack(data: bytes) -> tuple[State, dict[str, Tensor]]:
    """The inverse of `pack`."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    return State(**json.loads(header["__metadata__"]["state"])), safetensors.torch.load(data)


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under longer names."""
    return {prefix + name: value for name, value in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that carry the prefix, under their shorter names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
