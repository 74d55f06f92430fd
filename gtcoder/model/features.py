"""The second layer of the decoder: what the head of each step sees of the running sum.

Shapes: S steps, B rows, H hidden, F features, n steps of a group, V_s outcomes of step s, V of all.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gtcoder.model.grouped import Grouped


class Features(nn.Module):
    """relu(D_s · state_s + e_s) of every step, each with a layer of its own.

    One hidden layer adds up what the columns before say; a second sees them together, such as a
    weight, a colour and a clarity that make a price (DeepNADE, Uria et al. 2016). It is narrow, as
    drawing a step costs H F + F V_s products, where heads that see the sum itself take H V_s.
    """

    order: Tensor

    def __init__(self, grouped: Grouped, hidden: int, features: int) -> None:
        """Layers that begin as He et al. 2015 have it: D ~ N(0, 2 / H), e = 0.

        Args:
            grouped: which steps are computed together.
            hidden: of the running sum, H.
            features: of each step, F.
        """
        super().__init__()
        self.grouped, steps = grouped, len(grouped.order)
        self.weight = nn.Parameter(torch.randn(steps, hidden, features) * (2 / hidden) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(steps, features))
        self.register_buffer("order", torch.tensor(grouped.order), persistent=False)

    def forward(self, states: Sequence[Tensor]) -> list[Tensor]:
        """Of states (n, B, H) of each group, (n, B, F)."""
        weights = self.grouped.split(self.weight.index_select(0, self.order))
        biases = self.grouped.split(self.bias.index_select(0, self.order).unsqueeze(1))
        return [
            torch.baddbmm(bias, state, weight).relu()
            for state, weight, bias in zip(states, weights, biases, strict=True)
        ]

    def of(self, step: int, states: Tensor) -> Tensor:
        """Of states (B, H) of one step, (B, F)."""
        return torch.addmm(self.bias[step], states, self.weight[step]).relu_()

    def behind(self, heads: Tensor) -> Tensor:
        """D_sᵀ w of the head's vector of every outcome, (V, H) of (V, F).

        It is how far the outcome's logit goes along a change of the state where all units are on.
        """
        return self.grouped.transformed(heads, self.weight.index_select(0, self.order).mT)
