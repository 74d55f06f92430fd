"""How well scores tell members from non-members, with intervals by the bootstrap.

An attack is run from several sides, each of which scores the members and its own non-members; what
is reported is the mean over the sides. Shapes: A attacks, M members, O non-members of a side, G
distinct scores, R replicates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

FALSE_POSITIVES = 0.01
FEWEST_OTHERS = 100
"""Non-members a side needs before one false positive in a hundred means anything."""
REPLICATES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """What an attack reached."""

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


@dataclass(frozen=True, slots=True)
class Rated:
    """What several attacks on the same rows reached."""

    attacks: Mapping[str, Attack]
    largest: Attack
    """The largest figure of any attack, and the interval of the largest."""


def rate(attacks: Mapping[str, Sequence[Side]], rng: np.random.Generator) -> Rated:
    """Rate attacks; members and non-members are resampled REPLICATES times, alike for all.

    Args:
        attacks: the sides of each; all have the same members and non-members in the same order.
        rng: resamples.
    """
    sides = next(iter(attacks.values()))
    ordered = [[_Ordered.of(side) for side in each] for each in attacks.values()]
    weights = [np.ones(len(sides[0].members)), *(np.ones(len(side.others)) for side in sides)]
    whole = _rates(ordered, weights)  # (A, 2)
    drawn = np.stack(
        [_rates(ordered, [_resampled(len(w), rng) for w in weights]) for _ in range(REPLICATES)]
    )  # (R, A, 2)
    enough = min(len(side.others) for side in sides) >= FEWEST_OTHERS
    each = {name: _attack(whole[[at]], drawn[:, [at]], enough) for at, name in enumerate(attacks)}
    return Rated(each, _attack(whole, drawn, enough))


def _rates(ordered: Sequence[Sequence["_Ordered"]], weights: Sequence[np.ndarray]) -> np.ndarray:
    """Both figures of each attack, the mean over its sides, (A, 2)."""
    members, *others = weights
    return np.array(
        [
            np.mean([o.rate(members, w) for o, w in zip(sides, others, strict=True)], axis=0)
            for sides in ordered
        ]
    )


def _attack(whole: np.ndarray, drawn: np.ndarray, enough: bool) -> Attack:
    """The largest figures of attacks, (A, 2), with intervals by their replicates, (R, A, 2)."""
    low, high = _ends(drawn)
    auc, tpr = (Interval(*map(float, part)) for part in zip(whole.max(0), low, high, strict=True))
    return Attack(auc=auc, tpr=tpr if enough else None)


def _ends(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval of the largest of A figures, from replicates (R, A, ·).

    With t = (1 - CONFIDENCE) / 2 and q_a the quantiles of figure a it is

        [max over a of q_a(t / A), max over a of q_a(1 - t)].

    The largest of A lucky figures lies above the truth more often than one does. The lower end is
    too high only if some q_a(t / A) is above its own figure, which has a chance of A · t / A = t at
    most; the upper end is too low only if it is for the figure that is truly the largest. Quantiles
    of the replicates' own maximum would count the luck twice.
    """
    tail = (1 - CONFIDENCE) / 2
    low = np.quantile(drawn, tail / drawn.shape[1], axis=0).max(0)
    high = np.quantile(drawn, 1 - tail, axis=0).max(0)
    return low, high


def _resampled(size: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of `size` rows is drawn, with replacement, (size,)."""
    return np.bincount(rng.integers(size, size=size), minlength=size)


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

    def rate(self, members: np.ndarray, others: np.ndarray) -> tuple[float, float]:
        """AUC and true positives at 1 % false ones, of rows with these multiplicities."""
        hit = np.bincount(self.member_group, members, self.groups) / members.sum()  # (G,)
        miss = np.bincount(self.other_group, others, self.groups) / others.sum()
        wrong = miss.cumsum()
        auc = 1 - float((hit * (wrong - miss / 2)).sum())
        allowed = np.searchsorted(wrong, FALSE_POSITIVES + 1e-12, side="right")
        return auc, float(hit[:allowed].sum())
