"""When the latent mixture is fitted during a run, and its last fit."""

import math
import time

from gtcoder.config import TrainingConfig
from gtcoder.model.gtcoder import GTCoder
from gtcoder.training import em
from gtcoder.training.checkpoint import State
from gtcoder.training.clock import Clock
from gtcoder.training.rows.encoded import EncodedRows

_SHARE = 0.1
"""Of the time allowed, for one fit: where time is short it looks at fewer rows."""
REFRESHES = 10
"""Fits over the whole run after the first."""


class MixtureFits:
    """Fits the latent mixture once the warm share is over, and follows the encoder from then on."""

    def __init__(
        self, model: GTCoder, rows: EncodedRows, config: TrainingConfig, clock: Clock, seed: int
    ) -> None:
        self.model, self.rows, self.config = model, rows, config
        self.clock, self.seed = clock, seed

    def follow(self, state: State) -> None:
        """Fit or refresh when it is time to, before a step; nothing without a latent mixture."""
        if not self.model.config.latent_mixture or state.share < state.next_em:
            return
        began = time.monotonic()
        if state.fitted:
            most = self.clock.rows(_SHARE)
            em.refresh(self.model, self.rows, seed=self.seed, fits=state.fits, most=most)
        elif state.share >= self.config.warm_share or state.warm_over:
            em.start(self.model, self.rows, seed=self.seed, most=self.clock.rows(_SHARE))
            state.fitted, state.best, state.stale = True, math.inf, 0
            self.clock.leave(em.finish_cost(time.monotonic() - began, self.rows))
        else:
            return
        state.fits += 1
        least = (1 - self.config.warm_share) / REFRESHES
        state.next_em = state.share + self.clock.gap(least, time.monotonic() - began)
        self.clock.soon()

    def finish(self, state: State, rows: EncodedRows) -> None:
        """The prior that rows are drawn from, as the last weights need it, fitted to `rows`."""
        if not self.model.config.latent_mixture:
            em.from_labels(self.model)
            return
        if not state.fitted:  # too short a run to have got that far, or weights that were averaged
            em.start(self.model, rows, seed=self.seed, most=self.clock.rows(_SHARE))
        most = self.clock.rows(_SHARE)
        em.finish(self.model, rows, seed=self.seed, fits=state.fits, most=most)
