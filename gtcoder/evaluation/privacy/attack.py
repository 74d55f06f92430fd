"""How well scores tell members from non-members, with intervals by the bootstrap.

An attack is run from several sides, each of which scores the members and its own non-members; what
is reported is the mean over the sides. Shapes: M members, O non-members of a side, G distinct
scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

FALSE_POSITIVES = 0.01
FEWEST_OTHERS = 100
"""Non-members a side needs before one false positive in a hundred means anything."""
REPLICATES = 300
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """What one attack reached."""

    auc: Interval
    """0.5 is guessing."""
    tpr: Interval | None
    """Members found at 1 % false positives, where 0.01 is guessing; none with too few rows."""


@dataclass(frozen=True, slots=True)
class Side:
    """The scores of one side, high for members."""

    members: np.ndarray
    """float64 (M,); every side has the same members in the same order."""
    others: np.ndarray
    """float64 (O,)."""


def rate(sides: Sequence[Side], rng: np.random.Generator) -> Attack:
    """Rate an attack; members and non-members are resampled REPLICATES times."""
    ordered = [_Ordered.of(side) for side in sides]
    whole = np.mean([one.rate(*one.ones()) for one in ordered], axis=0)
    drawn = np.empty((REPLICATES, 2))
    for replicate in drawn:
        members = _resampled(len(sides[0].members), rng)
        each = [
            o.rate(members, _resampled(len(s.others), rng))
            for o, s in zip(ordered, sides, strict=True)
        ]
        replicate[:] = np.mean(each, axis=0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    auc, tpr = (Interval(*map(float, part)) for part in zip(whole, low, high, strict=True))
    enough = min(len(side.others) for side in sides) >= FEWEST_OTHERS
    return Attack(auc=auc, tpr=tpr if enough else None)


def _resampled(size: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of `size` rows is drawn, with replacement, (size,)."""
    return rng.multinomial(size, np.full(size, 1 / size))


@dataclass(frozen=True, slots=True)
class _Ordered:
    """A side's scores sorted once for all replicates, highest first."""

    member_group: np.ndarray
    """(M,); rank of each member's score among the distinct scores."""
    other_group: np.ndarray
    """(O,); of each non-member's."""
    groups: int

    @classmethod
    def of(cls, side: Side) -> Self:
        values, place = np.unique(-np.concatenate([side.members, side.others]), return_inverse=True)
        return cls(place[: len(side.members)], place[len(side.members) :], len(values))

    def ones(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(len(self.member_group)), np.ones(len(self.other_group))

    def rate(self, members: np.ndarray, others: np.ndarray) -> tuple[float, float]:
        """AUC and true positives at 1 % false ones, of rows with these multiplicities."""
        hit = np.bincount(self.member_group, members, self.groups) / members.sum()  # (G,)
        miss = np.bincount(self.other_group, others, self.groups) / others.sum()
        found, wrong = hit.cumsum(), miss.cumsum()
        auc = 1 - float((hit * (wrong - miss / 2)).sum())
        allowed = wrong <= FALSE_POSITIVES + 1e-12
        return auc, float(found[allowed].max(initial=0.0))
