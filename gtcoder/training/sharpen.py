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
from gtcoder.training import distributed
from gtcoder.training.em import noise, posteriors, shard
from gtcoder.training.rows import EncodedRows

ROWS = 10_000
"""Rows, over all workers, that the marginals are taken from."""
ITERATIONS = 20


@torch.no_grad()
def sharpen(model: GTCoder, rows: EncodedRows, *, seed: int) -> None:
    """Divide all logits by the model's temperature, and restore the marginals.

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
    z = reparameterise(mu, logvar, noise(mu, torch.Generator().manual_seed(seed)))
    logits = decoder.logits(decoder.states(z, codes))
    shifts = [_shift(each, temperature) for each in logits]
    for parameter in (decoder.heads.free, decoder.heads.smooth, decoder.bias):
        parameter.div_(temperature)
    decoder.bias.add_(torch.cat(shifts))


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
