"""torch.distributed, or one process alone: the same few collectives for both."""

import torch
from torch import Tensor
from torch import distributed as dist


def rank() -> int:
    """This worker's number; 0 alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of workers; 1 alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def total(tensor: Tensor) -> Tensor:
    """Sum over workers."""
    if world() > 1:
        dist.all_reduce(tensor)
    return tensor


def mean(tensor: Tensor) -> Tensor:
    """Mean over workers."""
    return total(tensor.clone()) / world()


def largest(value: float, device: torch.device) -> float:
    """Largest of the workers' values."""
    if world() == 1:
        return value
    tensor = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return float(tensor)


def from_first(tensor: Tensor) -> Tensor:
    """The first worker's tensor, on all."""
    if world() > 1:
        dist.broadcast(tensor, 0)
    return tensor
