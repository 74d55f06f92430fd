"""Sharpening a trained decoder: each step's distributions are cooled, its marginal stays as it was.

NOTE[DIFF]: the paper draws from what Eq. 12 fitted. But a network fitted to few rows doubts more
than the table does: what it has not seen often enough it smears, and rows drawn from it lose the
sharp rules that the table has. Cooling takes that back, and a bias per outcome sees to it that
rare ones stay as frequent as they were.

Shapes: B rows, S steps, V_s outcomes of step s.
"""

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
LOGITS = 1 << 26
"""Logits of all rows together: 256 MB, so that a wide table is looked at in fewer rows."""


def rows_for(model: GTCoder) -> int:
    """How many rows are decoded, over all workers; none where nothing is sharpened."""
    if model.config.temperature == 1:
        return 0
    return min(ROWS, max(LOGITS // sum(model.decoder.step_sizes), 256))


@torch.no_grad()
def sharpen(model: GTCoder, rows: EncodedRows, *, seed: int, most: int | None = None) -> None:
    """Divide all logits by the model's temperature T, and restore the marginals.

    Each step's bias moves by the shift b that solves mean softmax(logits / T + b) = mean
    softmax(logits), found by iterating b += log(wanted) − log(found).

    Args:
        model: trained; its decoder is changed.
        rows: all training rows; each worker takes its own share.
        seed: of the draws from the posterior.
        most: rows that are looked at, where time is short.
    """
    temperature, decoder = model.config.temperature, model.decoder
    if temperature == 1:
        return
    decoder.eval()
    mu, logvar, codes, cells = posteriors(
        model, shard(rows, min(rows_for(model), most or ROWS), seed)
    )
    generator = torch_generator(seed, Purpose.SHARPEN, distributed.rank())
    z = reparameterise(mu, logvar, noise(mu, generator))
    outcomes = decoder.outcomes(codes, cells)
    shifts = [_shift(logits, temperature) for logits in _logits(model, z, outcomes)]
    for parameter in (*decoder.heads.parameters(), decoder.bias):
        parameter.div_(temperature)
    if model.config.conditional:
        decoder.tied.weight.mul_(temperature)  # what a value given adds to a state is no logit
    decoder.bias.add_(torch.cat(shifts))


def _logits(model: GTCoder, z: Tensor, outcomes: Tensor) -> list[Tensor]:
    """Logits of every step for all rows, (B, V_s) each, decoded a few rows at a time."""
    decoder = model.decoder
    chunk = model.rows_within(CHUNK_VALUES)
    parts = [
        decoder.logits(decoder.states(decoder.expand(some), given))
        for some, given in zip(z.split(chunk), outcomes.split(chunk, 1), strict=True)
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
