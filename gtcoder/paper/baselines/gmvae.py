"""GMVAE (Dilokthanakul et al., Deep Unsupervised Clustering with Gaussian Mixture VAEs, 2016).

w ~ N(0, I) and a cluster c ~ uniform choose a Gaussian for x, which is decoded to a row.
Shapes: B rows, G clusters, X and V dimensions of x and w.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gtcoder.paper.baselines.baseline import Baseline
from gtcoder.paper.baselines.loop import Rows
from gtcoder.paper.baselines.networks.gaussian import Gaussian, drawn, gaussian_kl, log_density
from gtcoder.paper.baselines.networks.likelihood import RowLikelihood
from gtcoder.paper.baselines.networks.perceptron import GaussianLayer, perceptron


@dataclass(kw_only=True)
class GMVAE(Baseline):
    """An autoencoder whose prior is a mixture that it learns without labels."""

    clusters: int = 10
    """Gaussians in the mixture."""
    latent: int = 32
    """Dimensions of x."""
    mixing: int = 16
    """Dimensions of w."""
    width: int = 128
    """Of the hidden layers."""
    information: float = 0.5
    """Nats that the clusters may carry before their KL costs anything (the minimum information
    constraint): without it they merge early on and never part again."""
    learning_rate: float = 1e-3
    """Of Adam."""

    def build(self, rows: Rows) -> None:
        """Encoders of x and w, the mixture's network, the decoder, and one optimizer."""
        spans, width = self.spans, self.width
        self.of_x = GaussianLayer(spans.width, width, width, self.latent)
        self.of_w = GaussianLayer(spans.width, width, width, self.mixing)
        self.mixture = GaussianLayer(self.mixing, width, self.clusters * self.latent)
        self.decoder = perceptron(self.latent, width, width, spans.width, norm=True)
        self.likelihood = RowLikelihood(spans)
        parts = (self.of_x, self.of_w, self.mixture, self.decoder, self.likelihood)
        self.parts = nn.ModuleList(parts).to(rows.codes.device)
        self.optimizer = torch.optim.Adam(
            self.parts.parameters(), lr=self.learning_rate, fused=True
        )

    def step(self, batch: Tensor, share: float) -> None:
        """Lower the negative ELBO of a batch."""
        self.parts.train()
        codes, scalars = self.rows.take(batch)
        vectors = self.spans.vectors(codes, scalars)
        q_x, q_w = self.of_x(vectors), self.of_w(vectors)
        x = drawn(q_x)
        missed = self.likelihood.negative_log(self.decoder(x), codes, scalars)
        self.optimizer.zero_grad(set_to_none=True)
        (missed + self._kl(x, q_x, q_w)).mean().backward()
        self.optimizer.step()

    def _kl(self, x: Tensor, q_x: Gaussian, q_w: Gaussian) -> Tensor:
        """What x, w and the cluster cost, (B,)."""
        means, variances = self._components(drawn(q_w))  # (B, G, X)
        scores = log_density(x[:, None], (means, variances))  # (B, G), clusters equally likely
        posterior = scores.log_softmax(1)  # log p(c | x, w)
        shares = posterior.exp()
        apart = gaussian_kl((q_x[0][:, None], q_x[1][:, None]), (means, variances))  # (B, G)
        clusters = (shares * (posterior + math.log(self.clusters))).sum(1)
        standard = torch.zeros_like(q_w[0]), torch.ones_like(q_w[1])
        return (
            (shares * apart).sum(1)
            + gaussian_kl(q_w, standard)
            + clusters.mean().clamp_min(self.information)
        )

    def _components(self, w: Tensor) -> Gaussian:
        """Every cluster's Gaussian of x, (B, G, X)."""
        mu, variance = self.mixture(w)
        shape = (len(w), self.clusters, self.latent)
        return mu.reshape(shape), variance.reshape(shape)

    def draw(self, count: int) -> Tensor:
        """Draw w and a cluster, x from its Gaussian, and a row from what the decoder says."""
        self.parts.eval()
        device = self.rows.codes.device
        means, variances = self._components(torch.randn(count, self.mixing, device=device))
        cluster = torch.randint(self.clusters, (count,), device=device)
        rows = torch.arange(count, device=device)
        x = drawn((means[rows, cluster], variances[rows, cluster]))
        return self.likelihood.draw(self.decoder(x))
