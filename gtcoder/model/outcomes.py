"""A vector for every outcome of every step, smooth along what has an order.

Shapes: V outcomes of all steps, V_s of step s, H hidden, R rows of any number of steps.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gtcoder.codec.layout import Field
from gtcoder.model.steps import CELLS, Step, digit_frequencies


def is_ordered(step: Step, field: Field) -> Tensor:
    """Which outcomes of a step lie along a line, bool (V_s,).

    A number's codes, leading digits and cells do, but not what is missing, nor trailing digits.
    """
    if step.is_cell:
        return torch.ones(step.size, dtype=torch.bool)
    trailing = step.divisor == 1 and step.size != field.cardinality
    if not field.ordered or trailing:
        return torch.zeros(step.size, dtype=torch.bool)
    return torch.arange(step.size) * step.divisor < field.present


def single_shares(step: Step, field: Field) -> Tensor:
    """The share of rows of each outcome that is one value in order, float32 (V_s,); 0 of others."""
    if step.is_cell or step.size != field.cardinality:
        return torch.zeros(step.size)
    spread = torch.tensor(field.spread or [False] * step.size)
    return torch.tensor(field.frequencies) * (is_ordered(step, field) & ~spread)


def score_functions(rank: Tensor) -> Tensor:
    """Hermite polynomials of degree 1 and 2 of the normal scores of ranks in (0, 1), (..., 2).

    A Gaussian tilt of the marginal is linear in them.
    """
    score = torch.special.ndtri(rank.double().clamp(1e-4, 1 - 1e-4))
    return torch.stack([score, (score.square() - 1) / 2**0.5], -1).float()


def smooth_basis(step: Step, field: Field) -> Tensor:
    """Two smooth functions at the middle of each outcome, (V_s, 2); 0 where there is no order.

    Of a cell they are the Legendre polynomials of degree 1 and 2 of its place in the span.
    """
    if step.is_cell:
        place = (torch.arange(CELLS) + 0.5) / CELLS * 2 - 1
        return torch.stack([3**0.5 * place, 5**0.5 * (3 * place.square() - 1) / 2], 1)
    low, width = ranks(step, field)
    return score_functions(low + width / 2) * is_ordered(step, field).unsqueeze(1)


def ranks(step: Step, field: Field) -> tuple[Tensor, Tensor]:
    """Where among the values each outcome of a step that draws codes begins, and its share: (V_s,).

    Of what has no order the share is 0.
    """
    share = digit_frequencies(step, field.frequencies).double() * is_ordered(step, field)
    share = share / share.sum().clamp_min(1e-9)
    return share.cumsum(0) - share, share


class OutcomeTable(nn.Module):
    """A vector for every outcome: one of its own, or a point of a line along those in order.

    The vector of outcome v of an ordered step, at the middle of its span, is

        Σ_(u<v) d_u + d_v / 2 − mean + Σ_p basis_p(v) · smooth_p

    with a free increment d for each: a piecewise linear line (Gorishniy et al., On embeddings for
    numerical features, NeurIPS 2022). Increments that decay keep neighbours alike, where few rows
    tell them apart; the smooth part takes what the whole column has in common. Where the outcome is
    a single value, such as a gain of 99,999, it may mean something else than its neighbours, and
    min(1, share of rows / `single_share`) · own is added, which few rows say little of.
    """

    basis: Tensor
    single: Tensor
    weight: Tensor
    step: Tensor
    ordered: Tensor
    count: Tensor

    def __init__(
        self, steps: Sequence[tuple[Step, Field]], hidden: int, std: float, single_share: float
    ) -> None:
        super().__init__()
        basis = torch.cat([smooth_basis(*each) for each in steps])  # (V, 2)
        ordered = torch.cat([is_ordered(*each) for each in steps]).float().unsqueeze(1)  # (V, 1)
        sizes = torch.tensor([step.size for step, _ in steps])
        step = torch.arange(len(sizes)).repeat_interleave(sizes)
        count = torch.zeros(len(sizes), 1).index_add(0, step, ordered).clamp_min(1)
        self.smooth = nn.Parameter(std * torch.randn(len(sizes), basis.shape[1], hidden))
        self.free = nn.Parameter(std * torch.randn(len(basis), hidden) * (1 - ordered))
        shares = torch.cat([single_shares(*each) for each in steps])
        single = shares.nonzero()[:, 0]
        weight = (shares[single] / single_share).clamp_max(1).unsqueeze(1)
        self.own = nn.Parameter(torch.zeros(len(single), hidden)) if len(single) else None
        self.register_buffer("single", single, persistent=False)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("ordered", ordered, persistent=False)
        self.register_buffer("count", count, persistent=False)
        self.register_buffer("step", step, persistent=False)

    def forward(self) -> Tensor:
        """The vectors, (V, H)."""
        increments = self.free * self.ordered
        line = increments.cumsum(0) - 0.5 * increments
        mean = line.new_zeros(len(self.count), line.shape[1])
        mean = mean.index_add(0, self.step, line * self.ordered) / self.count
        line = line - mean.index_select(0, self.step)
        line = torch.addcmul(self.free - increments, self.ordered, line)  # of no order: its own
        for basis, smooth in zip(self.basis.unbind(1), self.smooth.unbind(1), strict=True):
            line = torch.addcmul(line, basis.unsqueeze(1), smooth.index_select(0, self.step))
        return line if self.own is None else line.index_add(0, self.single, self.own * self.weight)


class CellTable(nn.Module):
    """What the cell of a number adds to the vector of its code: the line goes on within the span.

    So numbers on both sides of an edge are seen alike.

    Shapes: N numbers with cells, R rows.
    """

    first: Tensor
    begin: Tensor
    step: Tensor
    along: Tensor

    def __init__(self, steps: Sequence[tuple[Step, Field]], numbers: Sequence[int]) -> None:
        """A table that has no parameters of its own.

        Args:
            steps: those that draw codes, in the order of the codes' `OutcomeTable`.
            numbers: the places among them of numbers with cells.
        """
        super().__init__()
        sizes = [step.size for step, _ in steps]
        self.sizes = [sizes[s] for s in numbers]
        along = torch.cat([_along(*steps[s]) for s in numbers])  # (ΣV_n, CELLS, 3)
        first = [sum(sizes[:s]) for s in numbers]
        begin = [sum(self.sizes[:n]) for n in range(len(numbers))]
        self.register_buffer("first", torch.tensor(first).unsqueeze(1), persistent=False)
        self.register_buffer("begin", torch.tensor(begin).unsqueeze(1), persistent=False)
        self.register_buffer("step", torch.tensor(list(numbers)), persistent=False)
        self.register_buffer("along", along, persistent=False)

    def forward(
        self, table: OutcomeTable, codes: Tensor, cells: Tensor, kept: Tensor, beside: Tensor
    ) -> Tensor:
        """(N, R, H): kept · (o · d_v + Σ_p Δ_p · smooth_p) + beside.

        o is the way from the middle of the code's span to that of the cell, in spans, and Δ_p the
        change of the p-th smooth function along it; d_v is the increment of the code's vector.

        Args:
            table: of the codes.
            codes: int64 (N, R).
            cells: int64 (N, R).
            kept: how much each counts, float32 (N, R).
            beside: float32 (N, H).
        """
        along = self.along[codes + self.begin, cells] * kept.unsqueeze(2)  # (N, R, 3)
        increments = functional.embedding(codes + self.first, table.free)  # (N, R, H)
        smooth = torch.baddbmm(beside.unsqueeze(1), along[..., 1:], table.smooth[self.step])
        return torch.addcmul(smooth, increments, along[..., :1])

    def spread(self, codes: Tensor) -> Tensor:
        """1 where a number's code (N, R) has a span, 0 where it is one value."""
        return (self.along[codes + self.begin, 0, 0] != 0).float()

    def spreads(self) -> list[Tensor]:
        """1 of each number's codes that have a span, 0 of those that are one value: N of (V_n,)."""
        return [each.float() for each in (self.along[:, 0, 0] != 0).split(self.sizes)]

    def whole(self, table: OutcomeTable) -> list[Tensor]:
        """The vector of each number's every code and cell: N of (V_n · CELLS, H)."""
        most, device = max(self.sizes), self.along.device
        last = torch.tensor(self.sizes, device=device).unsqueeze(1) - 1
        codes = torch.arange(most, device=device).repeat_interleave(CELLS).minimum(last)
        cells = torch.arange(CELLS, device=device).repeat(most).expand_as(codes)
        smooth = table.smooth[self.step, 0]  # (N, H)
        found = self(table, codes, cells, torch.ones_like(codes), torch.zeros_like(smooth))
        return [each[: size * CELLS] for each, size in zip(found, self.sizes, strict=True)]


def _along(step: Step, field: Field) -> Tensor:
    """o and Δ_p of each code and cell, (V_s, CELLS, 3); 0 where a code is one value."""
    low, width = (each.unsqueeze(1) for each in ranks(step, field))
    place = (torch.arange(CELLS) + 0.5) / CELLS
    change = score_functions(low + width * place) - score_functions(low + width / 2)
    offset = (place - 0.5).expand(step.size, CELLS).unsqueeze(2)
    spread = torch.tensor(field.spread).view(-1, 1, 1)
    return torch.cat([offset, change], 2) * spread
