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
    """The share of rows nearer (L1) to `train` than to `held_out`, of at most `rows` each.

    Chance alone puts a row nearer to the larger table, in the ratio of the sizes: the odds are
    divided by it, so that 0.5 is what chance gives. Ties are split in that ratio too.
    """
    sides = [side.sample(rows, rng) for side in (train, held_out)]
    looking = Points.of(train, other.sample(rows, rng))
    to_train, to_held_out = (nearest(looking, Points.of(train, s)).distance for s in sides)
    mine, theirs = map(len, sides)
    tied = float((to_train == to_held_out).mean())
    nearer = float((to_train < to_held_out).mean()) + tied * mine / (mine + theirs)
    return nearer * theirs / (nearer * theirs + (1 - nearer) * mine)
