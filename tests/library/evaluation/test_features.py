"""What predictors are given: hand-worked rows."""

import numpy as np
import pyarrow as pa

from gtcoder.evaluation.features import MOST_INDICATORS, Features
from gtcoder.evaluation.frame import align
from gtcoder.evaluation.roles import Roles


def test_numbers_are_filled_and_flagged_and_categories_one_hot():
    real = pa.table({"n": [1.0, None, 3, 8], "m": [0.5, 1.5, 2.5, 3.5], "c": ["a", "b", None, "a"]})
    other = pa.table({"n": [None, 2.0], "m": [None, 1e300], "c": ["b", "new"]})
    one, two = align(Roles.of(real), real, other)
    features = Features.fit(one, ["c", "m", "n"])
    # n, m, n is missing, c is missing, a, b
    assert features.matrix(two).tolist() == [
        [3, 2, 1, 0, 0, 1],
        [2, np.float32(1e15), 0, 0, 0, 0],
    ]
    assert features.matrix(one)[2].tolist() == [3, 2.5, 0, 1, 0, 0]
    assert Features.fit(one, ["c"]).matrix(two).tolist() == [[0, 0, 1], [0, 0, 0]]
    assert Features.fit(one, ["m"]).matrix(one).tolist() == [[0.5], [1.5], [2.5], [3.5]]


def test_the_rarest_of_many_categories_share_an_indicator():
    names = [f"k{at}" for at in range(300)]
    real = pa.table({"c": names[:255] * 2 + names[255:]})
    roles = Roles.of(real, schema={"columns": {"c": {"kind": "categorical"}}})
    frame = align(roles, real)[0]
    matrix = Features.fit(frame, ["c"]).matrix(frame)
    assert matrix.shape == (len(real), MOST_INDICATORS)
    assert (matrix.sum(1) == 1).all()
    assert matrix[:, -1].sum() == 45
