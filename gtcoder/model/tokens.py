"""Eq. 1–3, GTCoder: an encoded row becomes a sequence of tokens, one a field, with [CLS] in front.

Shapes: B rows, K fields, C token width.
"""

import torch
from torch import Tensor, nn

from gtcoder.codec.layout import Field, Layout, Scalar


class Tokens(nn.Module):
    """A learned vector per code, and for ordered fields a linear map of the value's rank.

    NOTE[DIFF]: Eq. 1 maps a number linearly. Here its quantile bin adds an embedding, and the
    linear map takes the value's rank (uniform, unit variance), which no outlier can stretch.
    """

    first: Tensor
    low: Tensor
    width: Tensor

    def __init__(self, layout: Layout, width: int, *, conditional: bool = False) -> None:
        super().__init__()
        self.cardinalities = cardinalities = [field.cardinality for field in layout.fields]
        self.embedding = nn.Embedding(sum(cardinalities), width)
        self.slope = nn.Parameter(torch.empty(len(cardinalities), width))
        self.bias = nn.Parameter(torch.empty(len(cardinalities), width))
        self.cls = nn.Parameter(torch.empty(width))
        for weight in (self.embedding.weight, self.slope, self.bias, self.cls):
            nn.init.normal_(weight, std=width**-0.5)
        self.absent = None
        if conditional:
            self.absent = nn.Parameter(torch.zeros(len(cardinalities), width))
        first = torch.tensor([0, *cardinalities[:-1]]).cumsum(0)
        ranks = [rank_of_codes(field) for field in layout.fields]
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("low", torch.cat([low for low, _ in ranks]), persistent=False)
        self.register_buffer("width", torch.cat([width for _, width in ranks]), persistent=False)

    def forward(self, codes: Tensor, scalars: Tensor, given: Tensor | None = None) -> Tensor:
        """Tokens of a batch.

        Args:
            codes: int64 (B, K).
            scalars: float32 (B, K).
            given: which fields are there, bool (B, K); the others have a token that says so.

        Returns:
            float32 (B, K + 1, C), [CLS] first.
        """
        at = codes + self.first  # (B, K)
        rank = self.low[at] + self.width[at] * scalars  # (B, K)
        fields = self.embedding(at) + rank.unsqueeze(-1) * self.slope + self.bias  # (B, K, C)
        if given is not None:
            assert self.absent is not None
            fields = torch.where(given.unsqueeze(2), fields, self.absent)
        cls = self.cls.expand(len(codes), 1, -1)  # (B, 1, C)
        return torch.cat([cls, fields], dim=1)  # (B, K + 1, C)


def rank_of_codes(field: Field) -> tuple[Tensor, Tensor]:
    """Where each code's values begin on the rank scale, and how much of it they span: (V,), (V,).

    The scale has mean 0 and variance 1; a field without order is 0 everywhere.
    """
    share = torch.tensor(field.frequencies, dtype=torch.float32)
    if not field.ordered:
        return torch.zeros_like(share), torch.zeros_like(share)
    scale = 12**0.5
    low = (share.cumsum(0) - share - 0.5) * scale
    if field.scalar is Scalar.NONE:
        return low + share * scale / 2, torch.zeros_like(share)
    return low, share * scale
