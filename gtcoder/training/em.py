"""Expectation maximisation of the latent mixture over the workers' rows, as map and reduce.

Each worker adds up N_g, Σz and Σzzᵀ over its own rows; one all-reduce an iteration.

Shapes: B rows, K fields, Z latent, G components.
"""

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded
from gtcoder.model.fusion import reparameterise
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.steps import cells_of
from gtcoder.seeds import Purpose, torch_generator
from gtcoder.training import distributed
from gtcoder.training.rows.encoded import EncodedRows

START_STEPS, REFRESH_STEPS, FINISH_STEPS = 15, 2, 20
ROWS_WHILE_TRAINING, ROWS_AT_THE_END = 50_000, 100_000
CHUNK_ROWS = 4_096
RIDGE = 1e-4
"""Added to every covariance's diagonal."""


def start(model: GTCoder, rows: EncodedRows, *, seed: int, most: int | None = None) -> None:
    """Fit the mixture afresh, on `most` rows at most: means at posterior draws of random rows."""
    mu, logvar, *_ = posteriors(model, shard(rows, _fewer(ROWS_WHILE_TRAINING, most), seed))
    generator = torch_generator(seed, Purpose.COMPONENTS, distributed.rank())
    z = reparameterise(mu, logvar, noise(mu, generator))
    mixture = model.mixture
    components, latent = mixture.means.shape
    chosen = torch.randint(len(z), (components,), generator=generator).to(z.device)
    spread = z.var(0, correction=0).mean().clamp_min(RIDGE) / 4
    mixture.means = distributed.from_first(z[chosen].contiguous())
    scale = distributed.from_first(spread.sqrt())
    mixture.cholesky = scale * torch.eye(latent, device=z.device).repeat(components, 1, 1)
    mixture.weights = torch.full((components,), 1 / components, device=z.device)
    mixture.refresh()
    iterate(model, mu, logvar, START_STEPS, seed=seed, fits=0)


def refresh(
    model: GTCoder, rows: EncodedRows, *, seed: int, fits: int, most: int | None = None
) -> None:
    """Follow the encoder with a few steps, after so many fits before."""
    mu, logvar, *_ = posteriors(model, shard(rows, _fewer(ROWS_WHILE_TRAINING, most), seed))
    iterate(model, mu, logvar, REFRESH_STEPS, seed=seed, fits=fits)


def finish(
    model: GTCoder, rows: EncodedRows, *, seed: int, fits: int, most: int | None = None
) -> None:
    """The last fit."""
    mu, logvar, *_ = posteriors(model, shard(rows, _fewer(ROWS_AT_THE_END, most), seed))
    iterate(model, mu, logvar, FINISH_STEPS, seed=seed, fits=fits)


def finish_cost(start_s: float, rows: EncodedRows) -> float:
    """About how long `finish` takes where `start` took so long.

    start_s · (20 / 15 steps) · (rows at the end / rows while training).
    """
    ratio = min(rows.rows, ROWS_AT_THE_END) / min(rows.rows, ROWS_WHILE_TRAINING)
    return start_s * FINISH_STEPS / START_STEPS * ratio


def _fewer(rows: int, most: int | None) -> int:
    return rows if most is None else min(rows, most)


def from_labels(model: GTCoder) -> None:
    """The paper's way to draw z: Eq. 8's prior averaged over the data.

    p(z) = Σ_jk freq_jk / M · N(μ_jk, σ_jk).

    Each category becomes a component of the mixture; without discrete fields z ~ N(0, I).
    """
    mixture, latent = model.mixture, model.config.latent
    if model.prior is None or not model.config.mixture_prior:
        mixture.resize(torch.ones(1), torch.zeros(1, latent), torch.eye(latent).unsqueeze(0))
        return
    categories = torch.arange(len(model.prior.frequencies), device=model.prior.frequencies.device)
    with torch.no_grad():
        mu, logvar = model.prior.components(categories)
    mixture.resize(model.prior.frequencies.clone(), mu, torch.diag_embed((0.5 * logvar).exp()))


def posteriors(model: GTCoder, rows: Encoded) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """μ, log σ² (B, Z), codes and cells (B, K) of rows."""
    device = model.mixture.means.device
    codes = torch.from_numpy(np.ascontiguousarray(rows.codes)).to(device).long()
    scalars = torch.from_numpy(np.ascontiguousarray(rows.scalars)).to(device)
    mu, logvar = [], []
    with torch.no_grad():
        for at in range(0, len(codes), CHUNK_ROWS):
            m, v, _ = model.encode(codes[at : at + CHUNK_ROWS], scalars[at : at + CHUNK_ROWS])
            mu.append(m)
            logvar.append(v)
    return torch.cat(mu), torch.cat(logvar), codes, cells_of(scalars)


def iterate(
    model: GTCoder, mu: Tensor, logvar: Tensor, steps: int, *, seed: int, fits: int
) -> None:
    """EM steps, each on fresh draws from the posteriors: other ones in every fit and worker."""
    generator = torch_generator(seed, Purpose.EM, fits, distributed.rank())
    with torch.no_grad():
        for _ in range(steps):
            sums: list[Tensor] = []
            z = reparameterise(mu, logvar, noise(mu, generator))
            for chunk in z.split(CHUNK_ROWS):
                moments = [m.double() for m in model.mixture.moments(chunk)]
                sums = [a + b for a, b in zip(sums, moments, strict=True)] if sums else moments
            count, first, second = (distributed.total(each) for each in sums)
            model.mixture.update(count, first, second, RIDGE)


def shard(rows: EncodedRows, most: int, seed: int) -> Encoded:
    """This worker's share of at most so many rows."""
    return rows.shard(rank=distributed.rank(), world=distributed.world(), most=most, seed=seed)


def noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of the same shape, drawn on the CPU whatever the device."""
    return torch.randn(like.shape, generator=generator).to(like.device)
