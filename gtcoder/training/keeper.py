"""Keeps a run's state now and then, and finds it again."""

import time
from typing import Any

import torch
from torch import Tensor

from gtcoder.model.gtcoder import GTCoder
from gtcoder.training import distributed
from gtcoder.training.checkpoint import (
    Checkpoints,
    State,
    pack,
    unpack,
    with_prefix,
    without_prefix,
)
from gtcoder.training.validation import Validation


class Keeper:
    """The weights, the best of them, the optimizer and where the run is, as one checkpoint."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        model: GTCoder,
        optimizer: torch.optim.Optimizer,
        validation: Validation,
    ) -> None:
        self.checkpoints, self.model = checkpoints, model
        self.optimizer, self.validation = optimizer, validation
        self.device = model.mixture.means.device
        self.kept = time.monotonic()

    def keep(self, state: State, after_s: float) -> None:
        """Checkpoint when `after_s` have passed since the last one, or the run is over."""
        since = distributed.largest(time.monotonic() - self.kept, self.device)
        if since >= after_s or state.stopped:
            self.checkpoints.save(self._packed(state) if distributed.rank() == 0 else None)
            self.kept = time.monotonic()

    def _packed(self, state: State) -> bytes:
        tensors = with_prefix("model.", self.model.state_dict())
        tensors |= with_prefix("best.", self.validation.best)
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= with_prefix(f"optimizer.{index}.", slots)
        return pack(state, tensors)

    def resumed(self) -> State | None:
        """Where the last checkpoint left the run; nothing at its beginning."""
        data = self.checkpoints.load()
        if data is None:
            return None
        state, tensors = unpack(data)
        load_weights(self.model, without_prefix("model.", tensors))
        best = without_prefix("best.", tensors)
        self.validation.best = {name: value.to(self.device) for name, value in best.items()}
        plain: dict[str, Any] = self.optimizer.state_dict()
        for key, value in without_prefix("optimizer.", tensors).items():
            index, name = key.split(".", 1)
            plain["state"].setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(plain)
        return state


def load_weights(model: GTCoder, tensors: dict[str, Tensor]) -> None:
    """Give a model its weights, and its mixture what follows from them."""
    model.load_state_dict(tensors)
    model.mixture.refresh()
