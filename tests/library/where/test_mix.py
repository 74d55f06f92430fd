"""Shares of categories: as asked, all others as they are, and what cannot be asked."""

import numpy as np
import pandas as pd
import pytest

from gtcoder import Synthesizer
from gtcoder.errors import ConditionError
from gtcoder.where.constraint import constraints


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    """Sizes go with colours; a tenth of the colours is missing; letters go with digits."""
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 1_200, p=[0.1, 0.3, 0.6])
    size = (colour == "red") * 5 + rng.normal(size=1_200).round(2)
    missing = rng.random(1_200) < 0.1
    letter = rng.choice(list("ab"), 1_200, p=[0.2, 0.8])
    table = pd.DataFrame(
        {
            "size": size,
            "colour": np.where(missing, None, colour),
            "letter": letter,
            "digit": np.where(letter == "a", "1", "2"),
        }
    )
    return Synthesizer(seed=0, epochs=20, verbose=False).fit(table)


def shares(fitted: Synthesizer, where, column: str = "colour", rows: int = 6_000) -> dict:
    drawn = fitted.sample(rows, where=where, seed=3)[column]
    return drawn.value_counts(normalize=True, dropna=False).to_dict()


@pytest.mark.parametrize(
    "where", [{"colour": {"red": 0.5}}, ["colour~red:0.5"], '{"colour": {"mix": {"red": 0.5}}}']
)
def test_a_share_is_as_asked_and_the_others_as_they_were(fitted, where):
    found = shares(fitted, where)
    assert found["red"] == pytest.approx(0.5, abs=0.03)
    assert found["blue"] / found["green"] == pytest.approx(2, abs=0.35)
    missing = sum(share for value, share in found.items() if pd.isna(value))
    assert missing == pytest.approx(0.5 * 0.1 / 0.91, abs=0.02)


def test_equal_shares_are_of_all_that_is_not_missing(fitted):
    found = shares(fitted, {"colour": {}})
    assert set(found) == {"red", "green", "blue"}
    assert all(share == pytest.approx(1 / 3, abs=0.03) for share in found.values())


def test_shares_hold_beside_conditions(fitted):
    where = {"colour": {"red": 0.2, "green": 0.8}, "letter": "a", "size": (None, 4)}
    assert shares(fitted, where)["red"] == pytest.approx(0.2, abs=0.03)
    drawn = fitted.sample(500, where=where, seed=1)
    assert set(drawn["letter"]) == {"a"}
    assert drawn["size"].max() <= 4


def test_shares_of_columns_kept_together(fitted):
    found = shares(fitted, ["digit~1:0.9"], "digit")
    assert found["1"] == pytest.approx(0.9, abs=0.03)
    assert shares(fitted, ["digit~1:0.9"], "letter")["a"] == pytest.approx(0.9, abs=0.03)


def test_within_a_category_rows_are_as_they_are(fitted):
    drawn = fitted.sample(4_000, where={"colour": {"red": 0.5}}, seed=5)
    middle = drawn.groupby("colour")["size"].median()
    assert middle["red"] == pytest.approx(5, abs=0.6)
    assert abs(middle["blue"]) < 0.6


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["size~"], "'size': expected a column of categories, found one of kind"),
        (["colour~red"], "expected CATEGORY:SHARE such as yes:0.3, found 'red'"),
        (["colour~red:1.5"], "expected a number from 0 to 1 for red, found 1.5"),
        (["colour~red:0.7,blue:0.7"], "sum to 1.4; expected at most 1"),
        ({"colour": {"red": "half"}}, "expected a number from 0 to 1 for red, found 'half'"),
        ({"colour": {"pink": 0.5}}, "expected a category seen in training"),
        (["letter~a:0.2,b:0.3"], "all categories are named and sum to 0.5; expected 1"),
        (["colour~", "letter~"], "expected shares of one column"),
        (["colour~", "colour=red"], "no other condition on it"),
        (["other~"], "expected one of the columns"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(fitted, where, message):
    with pytest.raises(ConditionError, match=message):
        constraints(fitted.bundle.codec, where)


def test_a_category_that_no_row_can_have_is_told(fitted):
    where = {"digit": {"1": 0.5, "2": 0.5}, "letter": "a"}
    with pytest.raises(ConditionError, match="no row"):
        fitted.sample(10, where=where)
