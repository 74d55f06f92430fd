"""Sharpening a trained decoder: each step's distributions are cooled, its marginal stays as it was.

NOTE[DIFF]: the paper draws from what Eq. 12 fitted. But a network fitted to few rows doubts more
than the table does: what it has not seen often enough it smears, and rows drawn from it lose the
sharp rules that the table has. Cooling takes that back, and a bias per outcome sees to it that
rare ones stay as frequent as they were.

Shapes: B rows, S steps, V_s outcomes of step s.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from gtcoder.model.fusion import reparameterise
from gtcoder.model.gtcoder import GTCoder
from gtcoder.seeds import Purpose, torch_generator
from gtcoder.training import distributed
from gtcoder.training.em import noise, posteriors, shard
from gtcoder.training.rows.encoded import EncodedRows

ROWS = 10_000
"""Rows, over all workers, that the marginals are taken from."""
ITERATIONS = 20
CHUNK_VALUES = 1 << 24
"""Numbers of a decoder's states that are in memory at once."""
BLOCK_VALUES = 1 << 26
"""Logits of all rows that are in memory at once: 256 MB."""


def rows_for(model: GTCoder) -> int:
    """About how many rows are decoded, over all workers: some more than once in a wide table."""
    return 0 if model.config.temperature == 1 else ROWS * len(list(_blocks(model, ROWS)))


@torch.no_grad()
def sharpen(model: GTCoder, rows: EncodedRows, *, seed: int) -> None:
    """Divide all logits by the model's temperature T, and restore the marginals.

    Each step's bias moves by the shift b that solves mean softmax(logits / T + b) = mean
    softmax(logits), found by iterating b += log(wanted) − log(found).

    Args:
        model: trained; its decoder is changed.
        rows: all training rows; each worker takes its own share.
        seed: of the draws from the posterior.
    """
    temperature, decoder = model.config.temperature, model.decoder
    if temperature == 1:
        return
    decoder.eval()
    mu, logvar, codes = posteriors(model, shard(rows, ROWS, seed))
    generator = torch_generator(seed, Purpose.SHARPEN, distributed.rank())
    z = reparameterise(mu, logvar, noise(mu, generator))
    shifts = []
    for block in _blocks(model, len(z)):
        for logits in _logits(model, z, codes, block):
            shifts.append(_shift(logits, temperature))
    for parameter in (decoder.heads.free, decoder.heads.smooth, decoder.bias):
        parameter.div_(temperature)
    decoder.bias.add_(torch.cat(shifts))


def _blocks(model: GTCoder, rows: int) -> Iterator[range]:
    """Runs of steps whose logits of so many rows fit into memory together."""
    first, values = 0, 0
    for s, size in enumerate(model.decoder.step_sizes):
        if s > first and values + rows * size > BLOCK_VALUES:
            yield range(first, s)
            first, values = s, 0
        values += rows * size
    yield range(first, len(model.decoder.step_sizes))


def _logits(model: GTCoder, z: Tensor, codes: Tensor, steps: range) -> list[Tensor]:
    """Logits of some steps for all rows, (B, V_s) each, decoded a few rows at a time."""
    decoder = model.decoder
    values = len(decoder.step_sizes) * model.config.hidden
    chunk = max(1, CHUNK_VALUES // values)
    parts = [
        decoder.logits(decoder.states(some, given), steps)
        for some, given in zip(z.split(chunk), codes.split(chunk), strict=True)
    ]
    return [torch.cat(each) for each in zip(*parts, strict=True)]


def _shift(logits: Tensor, temperature: float) -> Tensor:
    """What to add to cooled logits (B, V_s) so that their mean distribution stays, (V_s,)."""
    wanted = _marginal(logits)
    cooled = logits / temperature
    shift = torch.zeros_like(wanted)
    for _ in range(ITERATIONS):
        shift += wanted.log() - _marginal(cooled + shift).log()
    return shift


def _marginal(logits: Tensor) -> Tensor:
    """The mean of all workers' distributions, (V_s,)."""
    return distributed.mean(logits.softmax(1).mean(0)).clamp_min(1e-9)
