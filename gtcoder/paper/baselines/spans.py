"""A row as one vector for plain dense networks: all scalars, then every field's codes as one-hot.

Shapes: B rows, K fields, S fields with a scalar, D codes of all fields together, W = S + D.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gtcoder.codec.layout import Layout, Scalar


class Spans:
    """Where each field stands in the vector, and the operations on its part."""

    def __init__(self, layout: Layout, device: torch.device) -> None:
        fields = layout.fields
        self.sizes = [field.cardinality for field in fields]
        self.scalar_fields = [k for k, f in enumerate(fields) if f.scalar is not Scalar.NONE]
        self.discrete = [k for k, field in enumerate(fields) if field.discrete]
        sizes = torch.tensor(self.sizes, device=device)
        self.starts = sizes.cumsum(0) - sizes  # (K,), among the codes
        self.owner = torch.arange(len(fields), device=device).repeat_interleave(sizes)  # (D,)
        self.member = functional.one_hot(self.owner, len(fields)).float()  # (D, K)

    @property
    def scalars(self) -> int:
        """S."""
        return len(self.scalar_fields)

    @property
    def codes(self) -> int:
        """D."""
        return len(self.owner)

    @property
    def width(self) -> int:
        """W."""
        return self.scalars + self.codes

    def vectors(self, codes: Tensor, scalars: Tensor) -> Tensor:
        """Rows as vectors (B, W), from codes int64 (B, K) and scalars (B, K)."""
        hot = scalars.new_zeros(len(codes), self.codes).scatter_(1, codes + self.starts, 1.0)
        return torch.cat([scalars[:, self.scalar_fields], hot], 1)

    def read(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest codes int64 (B, K), and scalars (B, K), 0 where a field has none."""
        parts = vectors[:, self.scalars :].split(self.sizes, 1)
        codes = torch.stack([part.argmax(1) for part in parts], 1)
        scalars = vectors.new_zeros(codes.shape)
        scalars[:, self.scalar_fields] = vectors[:, : self.scalars]
        return codes, scalars

    def log_total(self, logits: Tensor) -> Tensor:
        """The log of each field's summed exponentials, (B, K), from logits (B, D)."""
        owner = self.owner.expand(len(logits), -1)
        top = logits.new_full((len(logits), len(self.sizes)), -torch.inf)
        top = top.scatter_reduce(1, owner, logits.detach(), "amax")  # (B, K)
        return top + ((logits - self._spread(top)).exp() @ self.member).log()

    def softmax(self, logits: Tensor) -> Tensor:
        """Each field's softmax, (B, D)."""
        return (logits - self._spread(self.log_total(logits))).exp()

    def cross_entropy(self, logits: Tensor, codes: Tensor) -> Tensor:
        """-log p(code) of each field, (B, K)."""
        return self.log_total(logits) - logits.gather(1, codes + self.starts)

    def cross_entropy_of(self, logits: Tensor, field: Tensor, code: Tensor) -> Tensor:
        """-log p(code) of one field a row, (B,), from logits (B, D), fields and codes (B,)."""
        total = self.log_total(logits).gather(1, field[:, None])  # (B, 1)
        return (total - logits.gather(1, (self.starts[field] + code)[:, None])).squeeze(1)

    def _spread(self, values: Tensor) -> Tensor:
        """Each field's value at all of its codes, (B, D), from (B, K)."""
        return values.index_select(1, self.owner)

    def soften(self, outputs: Tensor, tau: float) -> Tensor:
        """A generator's outputs as vectors: tanh, and Gumbel-softmax of temperature τ."""
        logits = outputs[:, self.scalars :]
        noisy = (logits + gumbel(logits)) / tau
        return torch.cat([outputs[:, : self.scalars].tanh(), self.softmax(noisy)], 1)

    def columns(self, fields: Sequence[int]) -> Tensor:
        """The places of some fields in the vector, scalars first, int64."""
        chosen = set(fields)
        scalars = [at for at, k in enumerate(self.scalar_fields) if k in chosen]
        codes = [self.scalars + at for at, k in enumerate(self.owner.tolist()) if k in chosen]
        return torch.tensor([*scalars, *codes], device=self.owner.device)


def gumbel(like: Tensor) -> Tensor:
    """Standard Gumbel noise of a tensor's shape."""
    return -(-torch.rand_like(like).clamp_min_(1e-20).log_()).log_()
