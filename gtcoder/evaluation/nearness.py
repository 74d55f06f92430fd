"""Are synthetic rows nearer to the training rows than to held-out ones? An alarm for overfitting.

It is no measure of privacy: a table can pass it and still give single rows away, and a table of few
rows or many ties can fail it by chance.
"""

import numpy as np

from gtcoder.evaluation.distance import Points, nearest
from gtcoder.evaluation.frame import Frame


def nearer_share(
    train: Frame, held_out: Frame, other: Frame, *, rows: int, rng: np.random.Generator
) -> float:
    """The share of rows nearer (L1) to `train` than to `held_out`; ties count half.

    As many rows of both are looked at, at most `rows`, so that 0.5 is what chance gives.
    """
    rows = min(rows, len(train), len(held_out))
    looking = Points.of(train, other.sample(rows, rng))
    to_train, to_held_out = (
        nearest(looking, Points.of(train, side.sample(rows, rng))).distance
        for side in (train, held_out)
    )
    return float(((to_train < to_held_out) + (to_train == to_held_out) / 2).mean())
