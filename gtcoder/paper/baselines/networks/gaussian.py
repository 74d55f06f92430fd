"""Diagonal Gaussians between the layers of hierarchical autoencoders. Shapes: B rows, Z latent."""

import math

import torch
from torch import Tensor

Gaussian = tuple[Tensor, Tensor]
"""μ and σ², both (..., Z)."""


def merge(one: Gaussian, other: Gaussian) -> Gaussian:
    """The product of two Gaussians, weighted by their precisions."""
    precisions = 1 / one[1], 1 / other[1]
    variance = 1 / (precisions[0] + precisions[1])
    return variance * (one[0] * precisions[0] + other[0] * precisions[1]), variance


def gaussian_kl(q: Gaussian, p: Gaussian) -> Tensor:
    """KL(q ‖ p) of diagonal Gaussians, summed over dimensions, (B,)."""
    ratio = q[1] / p[1]
    return (ratio + (q[0] - p[0]).square() / p[1] - 1 - ratio.log()).sum(-1) / 2


def drawn(gaussian: Gaussian) -> Tensor:
    """A draw of z, (B, Z)."""
    mu, variance = gaussian
    return mu + variance.sqrt() * torch.randn_like(mu)


def log_density(z: Tensor, gaussian: Gaussian) -> Tensor:
    """log p(z), summed over dimensions, (...,)."""
    mu, variance = gaussian
    squares = (z - mu).square() / variance + variance.log() + math.log(2 * math.pi)
    return -squares.sum(-1) / 2
