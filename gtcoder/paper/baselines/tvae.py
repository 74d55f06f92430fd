"""TVAE (Xu et al., Modeling Tabular Data using Conditional GAN, NeurIPS 2019): a VAE for tables."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gtcoder.paper.baselines.baseline import Baseline
from gtcoder.paper.baselines.loop import Rows
from gtcoder.paper.baselines.networks.likelihood import RowLikelihood
from gtcoder.paper.baselines.networks.perceptron import perceptron


@dataclass(kw_only=True)
class TVAE(Baseline):
    """A Gaussian autoencoder with two dense layers each way."""

    latent: int = 128
    """Dimensions of z."""
    width: int = 128
    """Of the hidden layers."""
    reconstruction: float = 2.0
    """Weight of the reconstruction beside the KL."""
    learning_rate: float = 1e-3
    """Of Adam."""
    weight_decay: float = 1e-5
    """Of Adam."""

    def build(self, rows: Rows) -> None:
        """The encoder, the decoder and one optimizer for both."""
        spans, device = self.spans, rows.codes.device
        self.encoder = perceptron(spans.width, self.width, self.width, 2 * self.latent).to(device)
        self.decoder = perceptron(self.latent, self.width, self.width, spans.width).to(device)
        self.likelihood = RowLikelihood(spans).to(device)
        parts = (self.encoder, self.decoder, self.likelihood)
        self.optimizer = torch.optim.Adam(
            [each for part in parts for each in part.parameters()],
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            fused=True,
        )

    def step(self, batch: Tensor, share: float) -> None:
        """Lower the weighted negative ELBO of a batch."""
        codes, scalars = self.rows.take(batch)
        mu, logvar = self.encoder(self.spans.vectors(codes, scalars)).chunk(2, 1)  # (B, Z) each
        z = mu + (logvar / 2).exp() * torch.randn_like(mu)
        kl = (mu.square() + logvar.exp() - logvar - 1).sum(1) / 2
        missed = self.likelihood.negative_log(self.decoder(z), codes, scalars)
        self.optimizer.zero_grad(set_to_none=True)
        (self.reconstruction * missed + kl).mean().backward()
        self.optimizer.step()

    def draw(self, count: int) -> Tensor:
        """Decode z from N(0, I), and draw from what it says."""
        z = torch.randn(count, self.latent, device=self.rows.codes.device)
        return self.likelihood.draw(self.decoder(z))
