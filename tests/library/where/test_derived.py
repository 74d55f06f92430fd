"""Conditions on columns that rules derive are met by every row, and rows stay their own."""

import numpy as np
import pandas as pd
import pytest

from gtcoder.errors import ConditionError
from gtcoder.synthesizer import Synthesizer


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    rows = 1_500
    hour, minute = rng.integers(6, 12, rows), rng.integers(0, 4, rows) * 15
    pay, bonus = rng.integers(10, 100, rows), rng.integers(1, 50, rows)
    zipped = rng.integers(0, 20, rows)
    table = pd.DataFrame(
        {
            "hour": hour,
            "minute": minute,
            "clock": hour * 100 + minute,
            "pay": pay + rng.normal(0, 0.1, rows).round(2),
            "bonus": bonus,
            "zip": [f"z{z:02d}" for z in zipped],
            "city": [f"c{z // 4}" for z in zipped],
            "letter": rng.choice(list("xyz"), rows),
        }
    )
    table["total"] = (table["pay"] + table["bonus"]).round(2)
    return Synthesizer(epochs=2, seed=1).fit(table)


@pytest.mark.parametrize(
    ("where", "meets"),
    [
        ("clock=730", lambda d: d["clock"] == 730),
        ("clock>=1100", lambda d: (d["clock"] >= 1100) & (d["hour"] == 11)),
        ("city=c2", lambda d: (d["city"] == "c2") & d["zip"].isin(["z08", "z09", "z10", "z11"])),
        ("total>=120", lambda d: (d["total"] >= 120) & (d["pay"] + d["bonus"] >= 119.9)),
        ("total=20..30", lambda d: d["total"].between(20, 30)),
    ],
)
def test_every_row_meets_a_condition_on_a_derived_column(fitted, where, meets):
    drawn = fitted.sample(200, where=[where], seed=3)
    assert len(drawn) == 200
    assert meets(drawn).all()
    assert ((drawn["pay"] + drawn["bonus"]).round(2) == drawn["total"]).all()
    assert (drawn["clock"] == 100 * drawn["hour"] + drawn["minute"]).all()


def test_several_at_once(fitted):
    where = ["clock>=900", "total>=60", "zip=z05", "letter=x"]
    drawn = fitted.sample(50, where=where, seed=3)
    assert (drawn["clock"] >= 900).all()
    assert (drawn["total"] >= 60).all()
    assert set(drawn["zip"]) == {"z05"}
    assert set(drawn["city"]) == {"c1"}
    assert set(drawn["letter"]) == {"x"}


def test_a_row_is_the_same_whatever_is_drawn_beside_it(fitted):
    where = ["total>=120"]
    whole = fitted.sample(300, where=where, seed=5)
    pd.testing.assert_frame_equal(fitted.sample(40, where=where, seed=5), whole[:40])
    later = fitted.sample(7, where=where, seed=5, start=111).reset_index(drop=True)
    pd.testing.assert_frame_equal(later, whole[111:118].reset_index(drop=True))


def test_what_no_row_can_be_is_refused(fitted):
    with pytest.raises(ConditionError, match="no row that was learned from has this"):
        fitted.sample(5, where=["clock=2300"])
    with pytest.raises(ConditionError, match="not together with the other conditions"):
        fitted.sample(5, where=["city=c1", "zip=z19"])
    with pytest.raises(ConditionError, match=r"none of 4,096 rows drawn meets .* total"):
        fitted.sample(1, where=["total>=100000"], seed=1)


def test_a_condition_on_a_derived_column_leaves_the_model_its_distribution(fitted):
    free = fitted.sample(20_000, seed=1)
    asked = fitted.sample(2_000, where=["total>=120"], seed=2)
    same = free[free["total"] >= 120]
    assert abs(asked["bonus"].mean() - same["bonus"].mean()) < 1.5
    assert abs((asked["letter"] == "x").mean() - (same["letter"] == "x").mean()) < 0.05
