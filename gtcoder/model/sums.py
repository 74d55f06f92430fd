"""Running sums over the steps of the decoder: what was drawn before, and what is given later.

Shapes: S steps, B rows, H hidden, n steps of a group.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class RunningSums(nn.Module):
    """relu(first + Σ_(t < s) x_t) of every step, or first + Σ_(t > s) x_t of every step."""

    source: Tensor
    """Where the vectors are among their parts, in the order in which they are added up."""
    count: Tensor
    """How many vectors are in the sum of each step, as grouped, (S,)."""

    def __init__(
        self, sources: Sequence[int], groups: Sequence[Sequence[int]], *, later: bool = False
    ) -> None:
        """Where vectors come from and sums go to.

        Args:
            sources: the step that each vector is of.
            groups: the steps of each group.
            later: whether sums are of the steps after, which have no ReLU.
        """
        super().__init__()
        ordered = [s for group in groups for s in group]
        steps = sorted(ordered, reverse=later)
        place, at, turn = ({s: k for k, s in enumerate(each)} for each in (sources, ordered, steps))
        self.later, self.sizes = later, [len(group) for group in groups]
        self.sources = [place.get(s, len(sources)) for s in steps]
        self.order = [at[s] for s in steps]
        source = [place[s] for s in steps if s in place]
        before = list(accumulate((s in place for s in steps), initial=0))
        count = [before[turn[s]] for s in ordered]
        self.register_buffer("source", torch.tensor(source), persistent=False)
        self.register_buffer("count", torch.tensor(count), persistent=False)

    def forward(self, first: Tensor, added: Sequence[Tensor]) -> list[Tensor]:
        """The sums, (n, B, H) a group.

        On a CPU they are added up step by step, while they are in its cache; elsewhere by few
        operations.

        Args:
            first: before any step, (B, H).
            added: what the steps add, parts of (N, B, H), in the order of the sources; others add
                nothing.
        """
        return (self.in_turn if first.device.type == "cpu" else self.in_few)(first, added)

    def in_turn(self, first: Tensor, added: Sequence[Tensor]) -> list[Tensor]:
        """The same, step by step."""
        return list(_sums(first, self.sources, self.order, self.sizes, not self.later, *added))

    def in_few(self, first: Tensor, added: Sequence[Tensor]) -> list[Tensor]:
        """The same, of all steps at once."""
        vectors = torch.cat([*added]).index_select(0, self.source)
        sums = torch.cat([first.unsqueeze(0), vectors]).cumsum(0).index_select(0, self.count)
        return list((sums if self.later else sums.relu()).split(self.sizes))


class _Sums(Function):
    """The same; its gradient is ∂x_t = Σ_(s after t) ∂sum_s, of those above 0 where rectified."""

    @staticmethod
    def forward(
        ctx: Any,
        first: Tensor,
        sources: Sequence[int],
        order: Sequence[int],
        sizes: Sequence[int],
        rectified: bool,
        *added: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.sources, ctx.order, ctx.rectified = sources, order, rectified
        ctx.shapes = [part.shape for part in added]
        sums = [first.new_empty(size, *first.shape) for size in sizes]
        total = first.clone()
        for vector, each in zip(_tiles(added, sources), _tiles(sums, order), strict=True):
            if rectified:
                torch.clamp_min(total, 0, out=each)
            else:
                each.copy_(total)
            if vector is not None:
                total += vector
        ctx.save_for_backward(*(sums if rectified else []))
        return tuple(sums)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        found = [grads[0].new_empty(shape) for shape in ctx.shapes]
        sums = ctx.saved_tensors if ctx.rectified else grads
        total = torch.zeros_like(grads[0][0])
        parts = _tiles(found, ctx.sources), _tiles(grads, ctx.order), _tiles(sums, ctx.order)
        for vector, grad, each in reversed(list(zip(*parts, strict=True))):
            if vector is not None:
                vector.copy_(total)
            total += torch.ops.aten.threshold_backward(grad, each, 0) if ctx.rectified else grad
        return total, None, None, None, None, *found


def _sums(*values: Any) -> tuple[Tensor, ...]:
    found: tuple[Tensor, ...] = _Sums.apply(*values)  # type: ignore[no-untyped-call]
    return found


def _tiles(parts: Sequence[Tensor], places: Sequence[int]) -> list[Any]:
    """(B, H) of every step, by its place among those of all parts (N, B, H); None beyond them."""
    tiles = [*(tile for part in parts for tile in part.unbind()), None]
    return [tiles[place] for place in places]
