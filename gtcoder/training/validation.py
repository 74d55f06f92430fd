"""Held-out rows: how well they are known, which weights know them best, when to stop."""

import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded, take
from gtcoder.config import TrainingConfig
from gtcoder.model.gtcoder import GTCoder
from gtcoder.seeds import Purpose, torch_generator
from gtcoder.training import distributed
from gtcoder.training.checkpoint import State
from gtcoder.training.objective import criterion
from gtcoder.training.rows.batch import to_device

CHUNK_ROWS = 1_024
"""Rows scored at once; a smaller validation set is repeated to so many, with fresh noise."""
CHUNK_VALUES = 1 << 25
"""And never more than have so many numbers for the decoder's heads (134 MB)."""
WARM_PATIENCE = 2
"""Validations without a better one after which the warm share ends early."""


def chunk_rows(model: GTCoder) -> int:
    """Rows that a model scores at once."""
    return min(CHUNK_ROWS, model.rows_within(CHUNK_VALUES))


class Validation:
    """Scores the held-out rows, and remembers the best weights."""

    def __init__(self, model: GTCoder, held: Encoded, config: TrainingConfig, seed: int) -> None:
        self.model, self.config, self.seed = model, config, seed
        self.best: dict[str, Tensor] = {}
        """The weights of the best validation since the mixture was fitted."""
        self.chunk = chunk_rows(model)
        repeats = -(-CHUNK_ROWS // len(held)) if len(held) else 0
        rows = torch.arange(len(held)).repeat(max(repeats, 1)).numpy()
        self.held = take(held, rows)

    @torch.no_grad()
    def score(self, device: torch.device, *, fitted: bool) -> float | None:
        """The mean criterion over the held-out rows of all workers, None without any.

        Each worker scores its share; noise follows from a chunk's place, not from who scores it.
        """
        if not len(self.held):
            return None
        self.model.eval()
        total = torch.zeros(2, dtype=torch.float64, device=device)
        step = distributed.world() * self.chunk
        for start in range(distributed.rank() * self.chunk, len(self.held), step):
            codes, scalars = to_device(take(self.held, slice(start, start + self.chunk)), device)
            rng = torch_generator(self.seed, Purpose.VALIDATION, start)
            noise = torch.randn(len(codes), self.model.config.latent, generator=rng).to(device)
            losses = self.model(codes, scalars, noise=noise, against_mixture=fitted)
            elbo = self.model.config.latent_mixture
            loss = criterion(losses, self.config, fitted=fitted, elbo=elbo)
            total += torch.stack([loss, torch.ones_like(loss)]) * len(codes)
        self.model.train()
        total = distributed.total(total)
        return float(total[0] / total[1])

    def judge(self, loss: float, state: State, *, warm: bool, patient: bool) -> None:
        """Remember the best validation; after too many worse ones go on to what comes next.

        Args:
            loss: of this validation.
            state: is told what is best, and whether the warm share or the run is over.
            warm: whether Eq. 8's prior alone still shapes z.
            patient: whether a worse one does not count yet, as the learning rate still rises.
        """
        if loss < state.best - 1e-4:
            state.best, state.stale = loss, 0
            if not warm:
                weights = self.model.state_dict().items()
                self.best = {name: value.detach().clone() for name, value in weights}
            return
        state.stale += not patient
        if warm:
            state.warm_over = state.warm_over or state.stale >= WARM_PATIENCE
        elif state.stale >= self.config.patience and not state.stopped:
            state.stopped = "plateau"
