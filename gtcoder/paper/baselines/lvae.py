"""LVAE (Sønderby et al., Ladder Variational Autoencoders, NeurIPS 2016).

A deterministic way up gives every layer a likelihood of its z; on the way down it is merged with
the layer's prior by their precisions, and the same networks generate. Shapes: B rows, Z_i latent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gtcoder.paper.baselines.baseline import Baseline
from gtcoder.paper.baselines.loop import Rows
from gtcoder.paper.baselines.networks.gaussian import Gaussian, drawn, gaussian_kl, merge
from gtcoder.paper.baselines.networks.likelihood import RowLikelihood
from gtcoder.paper.baselines.networks.perceptron import GaussianLayer, perceptron


class Ladder(nn.Module):
    """The ways up and down: widths of the data, the deterministic layers and the latents."""

    def __init__(self, inputs: int, widths: tuple[int, ...], latents: tuple[int, ...]) -> None:
        super().__init__()
        befores = (inputs, *widths[:-1])
        self.up = nn.ModuleList(
            nn.Sequential(perceptron(before, width, width, norm=True), nn.BatchNorm1d(width))
            for before, width in zip(befores, widths, strict=True)
        )
        self.likelihoods = nn.ModuleList(
            GaussianLayer(width, latent) for width, latent in zip(widths, latents, strict=True)
        )
        self.priors = nn.ModuleList(
            GaussianLayer(above, width, below)
            for above, width, below in zip(latents[1:], widths[1:], latents[:-1], strict=True)
        )
        self.top = latents[-1]

    def infer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z of the lowest layer (B, Z_1), and the KL of all layers (B,)."""
        found: list[Gaussian] = []
        for up, likelihood in zip(self.up, self.likelihoods, strict=True):
            x = functional.leaky_relu(up(x), 0.1)
            found.append(likelihood(x))
        kl = x.new_zeros(len(x))

        def merged(layer: int, prior: Gaussian) -> Gaussian:
            nonlocal kl
            top = layer == len(found) - 1
            posterior = found[layer] if top else merge(found[layer], prior)
            kl = kl + gaussian_kl(posterior, prior)
            return posterior

        return self._down(len(x), merged), kl

    def generate(self, count: int) -> Tensor:
        """z of the lowest layer drawn from the prior, (count, Z_1)."""
        return self._down(count, lambda layer, prior: prior)

    def _down(self, count: int, choose: Callable[[int, Gaussian], Gaussian]) -> Tensor:
        """From the top down, z drawn in each layer from what `choose` makes of its prior."""
        some = next(self.parameters())
        prior = some.new_zeros(count, self.top), some.new_ones(count, self.top)
        z = drawn(choose(len(self.priors), prior))
        for layer in reversed(range(len(self.priors))):
            z = drawn(choose(layer, self.priors[layer](z)))
        return z


@dataclass(kw_only=True)
class LVAE(Baseline):
    """A ladder of latent layers over the data."""

    widths: tuple[int, ...] = (128, 64, 32)
    """Of the deterministic layers, from the data up."""
    latents: tuple[int, ...] = (32, 16, 8)
    """Dimensions of z in each layer."""
    warm_up: float = 0.1
    """Share of the run in which the KL's weight rises from 0 to 1."""
    learning_rate: float = 1e-3
    """Of Adam."""

    def build(self, rows: Rows) -> None:
        """The ladder, the decoder below it, and one optimizer."""
        spans, device = self.spans, rows.codes.device
        self.ladder = Ladder(spans.width, self.widths, self.latents).to(device)
        width = self.widths[0]
        self.decoder = perceptron(self.latents[0], width, width, spans.width, norm=True).to(device)
        self.likelihood = RowLikelihood(spans).to(device)
        self.parts = nn.ModuleList([self.ladder, self.decoder, self.likelihood])
        self.optimizer = torch.optim.Adam(
            self.parts.parameters(), lr=self.learning_rate, fused=True
        )

    def step(self, batch: Tensor, share: float) -> None:
        """Lower the negative ELBO of a batch, its KL warmed up."""
        self.parts.train()
        codes, scalars = self.rows.take(batch)
        z, kl = self.ladder.infer(self.spans.vectors(codes, scalars))
        missed = self.likelihood.negative_log(self.decoder(z), codes, scalars)
        self.optimizer.zero_grad(set_to_none=True)
        (missed + min(1.0, share / self.warm_up) * kl).mean().backward()
        self.optimizer.step()

    def draw(self, count: int) -> Tensor:
        """Go down the ladder from N(0, I), and draw from what the decoder says."""
        self.parts.eval()
        return self.likelihood.draw(self.decoder(self.ladder.generate(count)))
