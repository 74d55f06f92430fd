"""What belongs to one run rather than to the model: seed, device, time, and who sees progress."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from gtcoder.errors import ConfigError
from gtcoder.progress import clock, counted


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What belongs to one run rather than to the model."""

    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    max_time_s: float | None = None
    """Training ends, its learning rate at zero, when so much time has passed."""
    progress: Callable[["Progress"], None] = lambda progress: None
    """Called on the first worker every few steps, and as what comes after the last one begins."""


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
    """Seconds until the run ends, at most: by what is done so far, and what is allowed."""
    doing: str = ""
    """What comes after the last step, once it is that."""

    def __str__(self) -> str:
        if self.doing:
            return self.doing
        speed = self.rows / max(self.elapsed_s, 1e-3)
        return f"epoch {self.epoch} of {self.epochs}, {speed:,.0f} rows/s"


def announced(
    rows: int, epochs: int, max_time_s: float | None, validation_fraction: float | None
) -> str:
    """How long a training may go on, before it begins.

    Args:
        rows: of the table.
        epochs: passes over them, at most.
        max_time_s: for all of it, if that is limited.
        validation_fraction: share of rows held out; None where a rule decides.
    """
    often = counted(epochs, "time")
    told = f"training on {rows:,} rows, at most {often} over"
    if max_time_s is not None:
        told += f" and {clock(max_time_s)} long"
    return told if validation_fraction == 0 else f"{told}; it ends sooner if nothing is gained"


def drawn(learned: int, rows: int) -> str:
    """What is said where not all rows of a table are learned."""
    return (
        f"learning {learned:,} of the table's {rows:,} rows, drawn evenly; `max_rows={learned}` "
        "says how many"
    )


def device_named(name: str) -> torch.device:
    """The device of a name such as "cpu", "cuda" or "cuda:1".

    Raises:
        ConfigError: this machine has none of that name.
    """
    there = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    if name.partition(":")[0] not in there:
        raise ConfigError(f"no device {name!r}; there are: {', '.join(there)}")
    return torch.device(name)
