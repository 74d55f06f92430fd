"""A batch on a device: encoded rows as tensors, and the random numbers of its step."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded, Layout
from gtcoder.model.gtcoder import Asked

ALSO_SHOWN = 1.5
"""Fields that a row shows at most, on average, beside its one where it shows few."""
NOTHING_SHOWN = 0.15
"""Of the rows to be completed, so many show nothing."""


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


def asked_of(codes: Tensor, rarity: Tensor, share: float) -> Asked:
    """Which rows of a batch are to be completed, from which of their fields.

    A row is chosen for one field that it always shows, by how rare its value is: what goes with a
    value does not follow from how often it comes, and from rare ones there is as much to learn.
    Half of them show that field and one or two others, as a condition does; others a share of all
    that is the square of a uniform number; and some nothing, as what a row is worth is compared
    with.

    Args:
        codes: int64 (B, K).
        rarity: the weight of each code of each field as it is chosen, float32 (K, V), 0 beyond.
        share: of the batch's rows.
    """
    (batch, fields), device = codes.shape, codes.device
    rows = math.ceil(share * batch)
    always = torch.randint(fields, (rows,), device=device)
    weights = rarity.gather(1, codes.t())  # (K, B)
    chosen = torch.multinomial(weights[always], 1)[:, 0]
    shown = torch.rand(rows, 1, device=device)
    few = torch.arange(rows, device=device).unsqueeze(1) < rows // 2
    shown = torch.where(few, shown * ALSO_SHOWN / fields, shown.square())
    given = torch.rand(rows, fields, device=device) < shown
    given = given.scatter(1, always.unsqueeze(1), True)
    given[rows - int(NOTHING_SHOWN * rows) :] = False
    return Asked(chosen, given)


def rarity_of(layout: Layout) -> Tensor:
    """One over the root of each code's share of the rows, (K, V), 0 beyond a field's codes."""
    shares = [torch.tensor(field.frequencies).clamp_min(1e-6) for field in layout.fields]
    return torch.nn.utils.rnn.pad_sequence([each.rsqrt() for each in shares], batch_first=True)
