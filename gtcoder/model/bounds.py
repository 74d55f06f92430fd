"""Numbers kept within bounds without being held there: a clamp whose gradient can lead back in."""

from typing import Any

import torch
from torch import Tensor


class _Bounded(torch.autograd.Function):
    """min(max(x, low), high); outside, only the gradient that leads back inside is passed on."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        # A step goes against the gradient: a positive one leads down.
        held = ((x < ctx.low) & (grad > 0)) | ((x > ctx.high) & (grad < 0))
        return grad.masked_fill(held, 0.0), None, None


def bounded(x: Tensor, low: float, high: float) -> Tensor:
    """x within [low, high], any shape. A plain clamp has no gradient once x is outside."""
    result: Tensor = _Bounded.apply(x, low, high)  # type: ignore[no-untyped-call]
    return result
