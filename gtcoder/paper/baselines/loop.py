"""The minibatch loop of all baselines: which rows, how often, until when."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded

Step = Callable[[Tensor, float], None]
"""One optimizer step, on row numbers (B,), at a share of the run in [0, 1)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The encoded training rows on a device: N rows, K fields."""

    codes: Tensor
    """int16 (N, K)."""
    scalars: Tensor
    """float32 (N, K)."""

    @classmethod
    def of(cls, encoded: Encoded, device: torch.device) -> "Rows":
        """Encoded rows, moved to a device."""
        codes, scalars = (torch.from_numpy(part) for part in (encoded.codes, encoded.scalars))
        return cls(codes.to(device), scalars.to(device))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Codes int64 (B, K) and scalars (B, K) of some rows."""
        return self.codes[rows].long(), self.scalars[rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class Passes:
    """How often the rows are gone through, and in what portions."""

    epochs: int
    batch_rows: int
    max_time_s: float | None = None
    """The loop ends when so much time has passed."""


def loop(step: Step, rows: Rows, passes: Passes) -> float:
    """Step through shuffled rows; a last batch that is not full waits for the next epoch.

    Returns:
        The passes over the rows that were done.
    """
    batch = min(passes.batch_rows, len(rows))
    each = len(rows) // batch
    started = time.monotonic()
    for epoch in range(passes.epochs):
        order = torch.randperm(len(rows), device=rows.codes.device)
        for at in range(each):
            if passes.max_time_s is not None and time.monotonic() - started > passes.max_time_s:
                return epoch + at / each
            share = (epoch + at / each) / passes.epochs
            step(order[at * batch : (at + 1) * batch], share)
    return float(passes.epochs)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers that follow from a seed, and leave no trace afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
