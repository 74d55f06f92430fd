"""Eq. 8, GTCoder: a Gaussian for every category, and the mixture a row's own categories make.

Shapes: B rows, M discrete fields, C token width, Z latent.
"""

import math

import torch
from torch import Tensor, nn

from gtcoder.codec.layout import Layout
from gtcoder.model.bounds import bounded


class LabelPrior(nn.Module):
    """The Gaussian mixture encoder: one-hot categories → fully connected layers → N(μ_jk, σ_jk).

    A one-hot row times a matrix is a row of that matrix, so the first layer is an embedding table:
    the embeddings w of Eq. 11, all that is left of this module without the `gaussians`.
    """

    fields: Tensor
    first: Tensor
    frequencies: Tensor

    def __init__(self, layout: Layout, width: int, latent: int, *, gaussians: bool) -> None:
        super().__init__()
        discrete = [i for i, field in enumerate(layout.fields) if field.discrete]
        sizes = [layout.fields[i].cardinality for i in discrete]
        self.embedding = nn.Embedding(sum(sizes), width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        if gaussians:
            self.head = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU())
            self.mu = nn.Linear(width, latent)
            self.logvar = nn.Linear(width, latent)
        shares = [share / len(sizes) for i in discrete for share in layout.fields[i].frequencies]
        self.register_buffer("fields", torch.tensor(discrete, dtype=torch.long), persistent=False)
        self.register_buffer("first", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.register_buffer(
            "frequencies", torch.tensor(shares, dtype=torch.float32), persistent=False
        )

    def components(self, categories: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of the named categories, both (..., Z)."""
        hidden = self.head(self.embedding(categories))
        return self.mu(hidden), bounded(self.logvar(hidden), -10, 4)

    def log_prob(self, z: Tensor, codes: Tensor) -> Tensor:
        """log p(z | the row's categories) = log 1/M Σ_j N(z; μ_jk, σ_jk²), (B,), Eq. 8.

        k is the row's category of discrete field j: uniform over its M active components.

        Only the active components are gathered, never all categories.
        """
        mu, logvar = self.components(codes[:, self.fields] + self.first)  # (B, M, Z)
        each = gaussian_log_prob(z.unsqueeze(1), mu, logvar)  # (B, M)
        return each.logsumexp(1) - math.log(len(self.fields))


def gaussian_log_prob(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; μ, diag σ²) = −½ Σ_i ((z_i − μ_i)² / σ_i² + log σ_i² + log 2π), summed over i."""
    squares = (z - mu).square() * (-logvar).exp()
    return -0.5 * (squares + logvar + math.log(2 * math.pi)).sum(-1)
