"""Typos are found, strangers are not suggested."""

import pytest

from gtcoder.schema.kind import Kind
from gtcoder.typos import LISTED, listed, meant

COLUMNS = ["year", "dep_time", "sched_dep_time", "arr_delay", "carrier", "Origin", "distance"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("yaer", "year"),
        ("dep_tim", "dep_time"),
        ("DEP_TIME", "dep_time"),
        ("deptime", "dep_time"),
        ("arr-delay", "arr_delay"),
        ("carier", "carrier"),
        ("origin", "Origin"),
        ("distence", "distance"),
    ],
)
def test_a_typo_is_found(word, name):
    assert meant(word, COLUMNS) == f"; did you mean {name!r}?"


@pytest.mark.parametrize("word", ["sex", "age", "income", "x", "", "education", "zip", "bmi"])
def test_a_stranger_is_not_suggested(word):
    assert meant(word, COLUMNS) == ""


def test_nothing_is_suggested_where_nothing_is():
    assert meant("age", []) == ""


def test_of_many_names_the_first_are_listed():
    assert listed(["a", "b"]) == "a, b"
    many = [f"c{at}" for at in range(LISTED + 3)]
    assert listed(many).endswith(f"c{LISTED - 1}, … ({LISTED + 3} in all)")
    assert f"c{LISTED}," not in listed(many)


def test_of_an_enum_the_value_is_suggested():
    assert meant("reel", Kind) == "; did you mean 'real'?"
