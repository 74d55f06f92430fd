"""CTGAN's training by sampling: which category a row is to have, and rows that have it.

A discrete column is chosen evenly, its category by the logarithm of its frequency, so that rare
categories are learned too. Shapes: B rows, M discrete columns, D codes of all of them together.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gtcoder.paper.baselines.loop import Rows
from gtcoder.paper.baselines.spans import Spans


@dataclass(frozen=True, slots=True)
class Asked:
    """A category asked of each row."""

    column: Tensor
    """Which of the M discrete columns, int64 (B,)."""
    code: Tensor
    """Its category, int64 (B,)."""

    def permuted(self, order: Tensor) -> "Asked":
        """The same in another order."""
        return Asked(self.column[order], self.code[order])


class ConditionalVectors:
    """The categories of all discrete columns, and the rows that have each."""

    def __init__(self, spans: Spans, rows: Rows) -> None:
        self.fields = torch.tensor(spans.discrete, device=rows.codes.device)
        sizes = torch.tensor([spans.sizes[k] for k in spans.discrete], device=rows.codes.device)
        self.starts = sizes.cumsum(0) - sizes  # (M,)
        self.width = int(sizes.sum())
        codes = rows.codes[:, self.fields].long()  # (N, M)
        self.order = codes.argsort(dim=0, stable=True)
        self.counts = torch.bincount((codes + self.starts).flatten(), minlength=self.width)
        column = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
        self.before = self.counts.cumsum(0) - self.counts - len(rows) * column  # (D,)
        self.even = self._steps(self.counts.double(), column)
        self.log = self._steps(self.counts.double().log1p(), column)

    def _steps(self, weights: Tensor, column: Tensor) -> Tensor:
        """Column m's cumulative shares, plus m: one increasing row for all columns, (D,)."""
        total = weights.new_zeros(len(self.fields)).index_add_(0, column, weights)
        return (weights / total[column]).cumsum(0)

    def draw(self, count: int, *, by_log: bool) -> Asked:
        """Ask for categories, by the logarithm of their frequencies or by the frequencies."""
        device = self.fields.device
        column = torch.randint(len(self.fields), (count,), device=device)
        place = column + torch.rand(count, dtype=torch.float64, device=device)
        steps = self.log if by_log else self.even
        code = torch.searchsorted(steps, place, right=True).clamp_max(self.width - 1)
        return Asked(column, (code - self.starts[column]).clamp_min(0))

    def vectors(self, asked: Asked) -> Tensor:
        """What is asked as one-hot vectors (B, D)."""
        return functional.one_hot(self.starts[asked.column] + asked.code, self.width).float()

    def rows(self, asked: Asked) -> Tensor:
        """A random row's number that has what is asked, for each, int64 (B,)."""
        at = self.starts[asked.column] + asked.code
        share = torch.rand(len(at), dtype=torch.float64, device=at.device)
        nth = (share * self.counts[at]).long()
        return self.order[self.before[at] + nth, asked.column]
