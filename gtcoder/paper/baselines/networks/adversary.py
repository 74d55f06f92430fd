"""What the adversarial methods share: a generator, the critic and its penalty, the optimizer.

Gulrajani et al., Improved Training of Wasserstein GANs (NeurIPS 2017), and CTGAN's networks.
Shapes: B rows, W width of what is judged, P rows judged together.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

PENALTY = 10.0
"""Weight of the gradient penalty, λ."""


class Residual(nn.Module):
    """A layer beside its own input: (B, W) → (B, W + width)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output and the input."""
        return torch.cat([self.layer(x), x], 1)


def residual_generator(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """CTGAN's generator: two residual layers and a linear one."""
    return nn.Sequential(
        Residual(inputs, width),
        Residual(inputs + width, width),
        nn.Linear(inputs + 2 * width, outputs),
    )


class Critic(nn.Module):
    """Judges `together` rows at once (PacGAN), by two layers; a higher score is more real."""

    def __init__(self, inputs: int, width: int, *, together: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.together = together
        layers: list[nn.Module] = []
        for before in (inputs * together, width):
            layers += [nn.Linear(before, width), nn.LeakyReLU(0.2), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores (B / P,) of rows (B, W)."""
        return self.layers(rows.reshape(len(rows) // self.together, -1)).squeeze(1)

    def loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """The Wasserstein distance it sees, negative, and the penalty of its slope between."""
        scores = self(torch.cat([real, fake]))
        half = len(scores) // 2
        return scores[half:].mean() - scores[:half].mean() + PENALTY * self._penalty(real, fake)

    def _penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean of (|slope| - 1)² at random points between real and fake."""
        packs = len(real) // self.together
        share = torch.rand(packs, 1, 1, device=real.device)
        between = torch.lerp(
            real.reshape(packs, self.together, -1), fake.reshape(packs, self.together, -1), share
        ).requires_grad_()
        scores = self(between.reshape(len(real), -1))
        (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        return (slope.flatten(1).norm(2, dim=1) - 1).square().mean()


def adam(
    parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float = 0.0
) -> torch.optim.Adam:
    """The optimizer of either side, with the little memory that a moving opponent asks for."""
    return torch.optim.Adam(
        parameters, lr=learning_rate, betas=(0.5, 0.9), weight_decay=weight_decay, fused=True
    )
