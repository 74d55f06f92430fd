"""Logits of many categorical draws at once: those of about as many outcomes in one product.

Shapes: S draws, B rows, H inputs, V_s outcomes of draw s, V of all; a group of n draws, of P
outcomes at most.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAST_FILLED = 0.7
"""Draws whose outcomes fill so much of the largest one's are computed together with it."""
SMALL = 16
"""Draws of so few outcomes are computed together in any case."""


class Grouped(nn.Module):
    """Which draws are computed together, and where their outcomes' vectors are found."""

    padded: Tensor
    unpadded: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        """Args: sizes: outcomes of each draw."""
        super().__init__()
        self.groups = groups_of(sizes)
        self.order = [s for group in self.groups for s in group]
        """The draws in the order of the groups."""
        self.widths = [sizes[group[0]] for group in self.groups]
        first = [sum(sizes[:s]) for s in range(len(sizes))]
        padded = [
            first[s] + v if v < sizes[s] else sum(sizes)  # the index of an outcome that cannot be
            for group, width in zip(self.groups, self.widths, strict=True)
            for s in group
            for v in range(width)
        ]
        place = {v: at for at, v in enumerate(padded)}
        unpadded = [place[v] for v in range(sum(sizes))]
        self.register_buffer("padded", torch.tensor(padded), persistent=False)
        self.register_buffer("unpadded", torch.tensor(unpadded), persistent=False)

    def split(self, ordered: Tensor) -> list[Tensor]:
        """What is there of every draw, (S, …) in the order of the groups: (n, …) a group."""
        return list(ordered.split([len(group) for group in self.groups]))

    def logits(
        self, products: Sequence[tuple[Sequence[Tensor], Tensor]], bias: Tensor
    ) -> list[Tensor]:
        """Σ inputs · vectorᵀ + bias of every outcome, (n, B, P) a group; −∞ of what cannot be.

        Args:
            products: inputs (n, B, H) of each group, and vectors (V, H).
            bias: (V,).
        """
        bias = functional.pad(bias, (0, 1), value=-torch.inf).index_select(0, self.padded)
        found = [each.unsqueeze(1) for each in self._parted(bias)]
        for inputs, vectors in products:
            parts = zip(found, inputs, self._together(vectors), strict=True)
            found = [torch.baddbmm(b, x, v.mT) for b, x, v in parts]
        return found

    def transformed(self, vectors: Tensor, matrices: Tensor) -> Tensor:
        """Each outcome's vector times its draw's matrix, (V, J).

        Args:
            vectors: (V, H).
            matrices: (S, H, J), in the order of the groups.
        """
        pairs = zip(self._together(vectors), self.split(matrices), strict=True)
        found = torch.cat([torch.bmm(v, m).flatten(0, 1) for v, m in pairs])
        return found.index_select(0, self.unpadded)

    def _together(self, vectors: Tensor) -> list[Tensor]:
        """Vectors (V, H) as the groups have them, (n, P, H); 0 of what cannot be."""
        padded = functional.pad(vectors, (0, 0, 0, 1)).index_select(0, self.padded)
        return self._parted(padded)

    def _parted(self, padded: Tensor) -> list[Tensor]:
        """What is there of every outcome, (ΣnP, …): (n, P, …) a group."""
        counts = [len(group) for group in self.groups]
        lengths = [n * width for n, width in zip(counts, self.widths, strict=True)]
        parts = zip(counts, padded.split(lengths), strict=True)
        return [each.unflatten(0, (n, -1)) for n, each in parts]

    def cross_entropy(
        self,
        products: Sequence[tuple[Sequence[Tensor], Tensor]],
        bias: Tensor,
        outcomes: Tensor,
    ) -> Tensor:
        """−log softmax of the logits at the true outcomes, (S, B), in the order of the groups.

        Args:
            products: inputs (n, B, H) of each group, and vectors (V, H).
            bias: (V,).
            outcomes: int64 (S, B), in the order of the groups.
        """
        logits = self.logits(products, bias)
        targets = self.split(outcomes)
        losses = [
            functional.cross_entropy(x.float().flatten(0, 1), y.flatten(), reduction="none")
            for x, y in zip(logits, targets, strict=True)
        ]
        return torch.cat(losses).view_as(outcomes)


def groups_of(sizes: Sequence[int]) -> list[list[int]]:
    """Draws that are computed together, the largest first.

    Args:
        sizes: outcomes of each draw.
    """
    groups: list[list[int]] = []
    for s in sorted(range(len(sizes)), key=lambda s: -sizes[s]):
        largest = sizes[groups[-1][0]] if groups else 0
        if groups and (largest <= SMALL or sizes[s] >= LEAST_FILLED * largest):
            groups[-1].append(s)
        else:
            groups.append([s])
    return groups
