"""AdamW with decay where it belongs, and the learning rate along a half cosine."""

import math
from typing import Any

import torch
from torch import nn

from gtcoder.config import TrainingConfig
from gtcoder.model.gtcoder import GTCoder

_WARM_UP_STEPS = 100
"""Steps in which the learning rate rises from zero, or a tenth of the run if that is less."""
LEAST_SHARE = 0.01
"""Of the peak learning rate, at the end of the run."""


def optimizer_of(model: GTCoder, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW in three groups.

    The vectors of single values decay by `free_decay`, other matrices by `weight_decay`, and so do
    what tells the decoder's steps apart. Biases (the decoder's are the log marginals), norms and
    deviations do not decay: zero is no better a guess for them than any other number.
    """
    free = model.free_parameters()
    named = {id(each) for each in free}
    rest = [each for each in model.parameters() if id(each) not in named]
    groups: list[dict[str, Any]] = [
        {"params": free, "weight_decay": config.free_decay},
        {"params": [each for each in rest if each.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [each for each in rest if each.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)


def warm_up_steps(steps: int) -> int:
    """Steps in which the learning rate rises, of a run of so many."""
    return min(_WARM_UP_STEPS, max(steps // 10, 1))


def learning_rate(config: TrainingConfig, step: int, steps: int, share: float) -> float:
    """Peak · min(1, (step + 1) / warm-up) · (.01 + .99 · (1 + cos(π · share)) / 2).

    Args:
        config: has the peak.
        step: steps taken so far.
        steps: of the whole run, at most.
        share: of the run that is done, in [0, 1].
    """
    rise = min(1.0, (step + 1) / warm_up_steps(steps))
    fall = LEAST_SHARE + (1 - LEAST_SHARE) * 0.5 * (1 + math.cos(math.pi * share))
    return config.learning_rate * rise * fall


def clip(model: nn.Module) -> None:
    """Bring the gradient's norm to at most 5."""
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
