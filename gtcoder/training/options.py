"""What belongs to one run rather than to the model: seed, device, time, and who sees progress."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from gtcoder.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What belongs to one run rather than to the model."""

    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    max_time_s: float | None = None
    """Training ends, its learning rate at zero, when so much time has passed."""
    progress: Callable[["Progress"], None] = lambda progress: None
    """Called on the first worker after every epoch and every few seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is."""

    share: float
    """Of the whole run, in [0, 1]."""
    epoch: int
    epochs: int
    rows: int
    """Rows trained on so far, over all epochs and workers."""
    elapsed_s: float
    validation_loss: float | None
    left_s: float | None
    """Seconds until the run ends: by what is done so far, never more than what is allowed."""

    def __str__(self) -> str:
        speed = self.rows / max(self.elapsed_s, 1e-3)
        return f"epoch {self.epoch} of {self.epochs}, {speed:,.0f} rows/s"


def device_named(name: str) -> torch.device:
    """The device of a name such as "cpu", "cuda" or "cuda:1".

    Raises:
        ConfigError: this machine has none of that name.
    """
    there = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    if name.partition(":")[0] not in there:
        raise ConfigError(f"no device {name!r}; there are: {', '.join(there)}")
    return torch.device(name)
