"""Plain dense networks."""

from itertools import pairwise

from torch import nn


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
