"""Membership inference: can a row's membership in the training table be read off the synthetic one?

Two attacks, each with half of the held-out rows as what the attacker knows of the population and
the other half as non-members, then the other way round:
- density ratio, in the manner of DOMIAS (van Breugel et al., AISTATS 2023): is the row nearer to
  the synthetic rows than to the reference, by nearest neighbours instead of a fitted density;
- classifier, in the manner of LOGAN (Hayes et al., PETS 2019): a boosted tree that tells synthetic
  from reference rows rates it.
Attacks that know more may find more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gtcoder.evaluation.distance import Points, nearest
from gtcoder.evaluation.fidelity.detector import boosted_tree, inputs
from gtcoder.evaluation.frame import Frame
from gtcoder.evaluation.parallel import at_once
from gtcoder.evaluation.privacy.attack import Attack, Side, rate

DENSITY_RATIO, CLASSIFIER = "density_ratio", "classifier"


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """What the attacks reached."""

    attacks: Mapping[str, Attack]
    largest: Attack
    """The larger figures of both, with their own intervals: what to report."""
    members: int
    """Training rows that were attacked."""
    others: int
    """Held-out rows, as reference and as non-members."""
    synthetic: int
    """Synthetic rows that the attacker saw."""

    @property
    def strongest(self) -> str:
        """The attack of the largest AUC."""
        return max(self.attacks, key=lambda name: self.attacks[name].auc.value)


def infer_membership(
    train: Frame, held_out: Frame, other: Frame, *, members: int, rows: int, seed: int
) -> Membership:
    """Attack a table.

    Args:
        train: the rows it was learned from.
        held_out: rows of the same population that it was not learned from.
        other: the table.
        members: training rows that are attacked, at most.
        rows: rows of the two other tables that are used, at most.
        seed: draws the rows.
    """
    rng = np.random.default_rng([seed, 2])
    member_rows = train.sample(members, rng)
    held_out, other = held_out.sample(rows, rng), other.sample(rows, rng)
    halves = np.array_split(rng.permutation(len(held_out)), 2)
    order = (halves, halves[::-1])

    def classify(halves: Sequence[np.ndarray]) -> Side:
        others, reference = map(held_out.take, halves)
        return _classified(train, member_rows, others, reference, other, seed)

    sides = {
        DENSITY_RATIO: _density_ratios(train, member_rows, held_out, other, order),
        CLASSIFIER: at_once(classify, order),
    }
    rated = rate(sides, rng)
    return Membership(
        attacks=rated.attacks,
        largest=rated.largest,
        members=len(member_rows),
        others=len(held_out),
        synthetic=len(other),
    )


def _density_ratios(
    train: Frame,
    members: Frame,
    held_out: Frame,
    other: Frame,
    order: tuple[list[np.ndarray], list[np.ndarray]],
) -> list[Side]:
    """The log ratio of the distances to the nearest reference row and the nearest synthetic one."""
    member_at, held_at, other_at = (Points.of(train, f) for f in (members, held_out, other))
    near_member = nearest(member_at, other_at).distance
    near_held = nearest(held_at, other_at).distance
    sides = []
    for others, reference in order:
        known = held_at.take(reference)
        far_member = nearest(member_at, known).distance
        far_other = nearest(held_at.take(others), known).distance
        floor = 1e-3 * float(np.median(np.concatenate([far_member, far_other]))) + 1e-12
        sides.append(
            Side(
                np.log(far_member + floor) - np.log(near_member + floor),
                np.log(far_other + floor) - np.log(near_held[others] + floor),
            )
        )
    return sides


def _classified(
    train: Frame, members: Frame, others: Frame, reference: Frame, other: Frame, seed: int
) -> Side:
    x = np.concatenate([inputs(train, other), inputs(train, reference)])
    y = np.repeat([1, 0], [len(other), len(reference)])
    model = boosted_tree(train, seed).fit(x, y)
    return Side(*(model.predict_proba(inputs(train, frame))[:, 1] for frame in (members, others)))
