"""Plain dense networks, and those that end in a Gaussian. Shapes: B rows, Z latent."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from gtcoder.paper.baselines.networks.gaussian import Gaussian


def perceptron(*widths: int, norm: bool = False) -> nn.Sequential:
    """Linear layers between these widths, ReLU after all but the last; B × widths[0] in.

    Args:
        *widths: of the input, the hidden layers and the output.
        norm: whether hidden layers are batch-normalised.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers += [nn.Linear(before, after), *([nn.BatchNorm1d(after)] if norm else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


class GaussianLayer(nn.Module):
    """Dense layers that end in a diagonal Gaussian."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = perceptron(*widths[:-1], 2 * widths[-1], norm=True)

    def forward(self, x: Tensor) -> Gaussian:
        """μ and σ² = softplus, as the paper's."""
        mu, raw = self.layers(x).chunk(2, 1)
        return mu, functional.softplus(raw) + 1e-4
