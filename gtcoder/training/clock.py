"""How much of a run is done, by steps and by the time that is allowed."""

import time

import torch

from gtcoder.training import distributed
from gtcoder.training.checkpoint import State

AGREE_SECONDS = 0.25
"""About so often workers agree on the time."""
LEAST_ROWS = 1_000
"""So many rows are looked at however short the time."""
MOST_STEPS = 64
"""And never after more steps than this."""


class Clock:
    """The slowest worker's time, asked for at steps on which all workers agree.

    What comes after the last step (EM, sharpening, the explanation) takes time of its own:
    `State.ending_s` is kept free for it. All workers call every method equally often.
    """

    def __init__(
        self, state: State, max_time_s: float | None, device: torch.device, began: float
    ) -> None:
        self.state, self.max_time_s, self.device = state, max_time_s, device
        self.started = began - state.elapsed_s
        self._steps, self._due = 0, 1
        self._first: tuple[float, float] | None = None
        self._ended_s: float | None = None

    def step(self) -> bool:
        """Count a step; whether the time was looked at."""
        self._steps += 1
        if self._steps < self._due:
            return False
        self.look()
        return True

    def look(self) -> None:
        """Agree on the time, and on how many steps from now to do so again."""
        before = self.state.elapsed_s
        self.state.elapsed_s = distributed.largest(time.monotonic() - self.started, self.device)
        each = (self.state.elapsed_s - before) / max(self._steps, 1)
        self._due = int(min(max(AGREE_SECONDS / max(each, 1e-6), 1), MOST_STEPS))
        self._steps = 0

    def soon(self) -> None:
        """Look again at the next step: what comes now may be slow."""
        self._due = 1

    def share(self, by_steps: float) -> float:
        """The share of the run that is done: of its steps, or of its time if that is more."""
        if self.max_time_s is None:
            return min(by_steps, 1.0)
        return min(max(by_steps, self.state.elapsed_s / max(self._allowed_s, 1e-6)), 1.0)

    @property
    def over(self) -> bool:
        """Whether only the time for the ending is left."""
        return self.max_time_s is not None and self.state.elapsed_s >= self._allowed_s

    @property
    def _allowed_s(self) -> float:
        """Seconds for the steps: at least half of what was asked for."""
        assert self.max_time_s is not None
        return max(self.max_time_s - self.state.ending_s, self.max_time_s / 2)

    def end(self) -> None:
        """The last step is done: only the ending is left, whatever steps there would have been."""
        self.look()
        self._ended_s = self.state.elapsed_s

    def left_s(self, by_steps: float) -> float | None:
        """Seconds until all is done: for the steps left what those done took, and the ending.

        Never more than what is left of the time allowed; None while nothing is known. The first
        call counts for nothing: what came before it was slow, or on other workers.
        """
        elapsed_s = self.state.elapsed_s
        if self._ended_s is not None:
            return max(self._ended_s + self.state.ending_s - elapsed_s, 0.0)
        self._first = self._first or (by_steps, elapsed_s)
        done, took_s = by_steps - self._first[0], elapsed_s - self._first[1]
        known = []
        if done > 0:
            known.append(took_s * max(1 - by_steps, 0.0) / done + self.state.ending_s)
        if self.max_time_s is not None:
            known.append(max(self.max_time_s - elapsed_s, 0.0))
        return min(known, default=None)

    def leave(self, seconds: float) -> None:
        """Keep more time free for the ending: the slowest worker's estimate of a part of it."""
        self.state.ending_s += distributed.largest(seconds, self.device)

    def rows(self, share: float) -> int | None:
        """Rows that can be looked at in a share of the time allowed; None without a limit."""
        if self.max_time_s is None or not self.state.row_s:
            return None
        return max(LEAST_ROWS, int(share * self.max_time_s / self.state.row_s))

    def gap(self, least: float, seconds: float) -> float:
        """The share of the run until something that took so long may come again.

        At least `least`; where time is short, so much that it takes a tenth of the time at most.
        """
        if self.max_time_s is None:
            return least
        return max(least, 10 * distributed.largest(seconds, self.device) / self._allowed_s)
