"""A batch on a device: encoded rows as tensors, and the random numbers of its step."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded


def to_device(rows: Encoded, device: torch.device) -> tuple[Tensor, Tensor]:
    """Codes int64 (B, K) and scalars float32 (B, K); to a GPU by way of pinned memory."""
    codes = torch.from_numpy(np.ascontiguousarray(rows.codes))
    scalars = torch.from_numpy(np.ascontiguousarray(rows.scalars))
    if device.type == "cuda":
        codes, scalars = codes.pin_memory(), scalars.pin_memory()
    return codes.to(device, non_blocking=True).long(), scalars.to(device, non_blocking=True)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's own random numbers follow from a seed within, and nothing is left of it outside."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
