"""Completed rows: what was there stays, what is drawn goes with it, in whatever pieces."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gtcoder import Synthesizer
from gtcoder.errors import ConfigError, GTCoderError, TableError
from gtcoder.sampling.complete import Completer
from gtcoder.sampling.draw import Drawer


def made(rows: int, seed: int) -> pd.DataFrame:
    """Sizes go with colours, letters with digits, and a total is of two numbers."""
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "green", "blue"], rows, p=[0.2, 0.3, 0.5])
    letter = rng.choice(list("abc"), rows)
    mark = pd.Series(letter).map({"a": "x", "b": "y", "c": "z"})
    one, two = rng.integers(0, 50, rows), rng.integers(0, 5, rows)
    return pd.DataFrame(
        {
            "id": np.arange(rows) + 1_000,
            "size": ((colour == "red") * 6 + rng.normal(size=rows)).round(2),
            "colour": np.where(rng.random(rows) < 0.1, None, colour),
            "mark": np.where(rng.random(rows) < 0.1, rng.choice(list("xyz"), rows), mark),
            "letter": letter,
            "digit": pd.Series(letter).map({"a": 1, "b": 2, "c": 2}),
            "one": one,
            "two": two,
            "total": one + two,
        }
    )


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    found = Synthesizer(seed=4, epochs=80, verbose=False).fit(made(2_000, 0))
    rules = " ".join(map(str, found.bundle.codec.rules.all))
    assert "digit, letter" in rules
    assert "total" in rules
    return found


@pytest.fixture
def rows() -> pd.DataFrame:
    return made(600, 1)


def blanked(rows: pd.DataFrame, share: float, seed: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows with some of their cells gone, and which; never both numbers of a total."""
    gone = np.random.default_rng(seed).random(rows.shape) < share
    gone[:, 0] = False
    gone[:, 7] &= ~gone[:, 6]
    return rows.astype(object).mask(gone), pd.DataFrame(gone, columns=rows.columns)


def test_what_was_there_stays_and_nothing_is_missing(fitted, rows):
    table, gone = blanked(rows, 0.3)
    table.index = pd.Index([f"r{at}" for at in range(len(table))])
    done = fitted.complete(table)
    assert list(done.columns) == list(rows.columns)
    assert done.index.equals(table.index)
    assert not done.isna().any(axis=None)
    for name in rows:
        there = ~gone[name].to_numpy() & rows[name].notna().to_numpy()
        assert (done[name].to_numpy()[there] == rows[name].to_numpy()[there]).all(), name


def test_a_whole_row_is_as_it_was(fitted, rows):
    whole = rows.dropna()
    pd.testing.assert_frame_equal(
        fitted.complete(whole).astype(object), whole.astype(object), check_dtype=False
    )


def test_what_is_drawn_goes_with_the_rest(fitted, rows):
    table = rows.assign(size=np.nan)
    size = fitted.complete(table).groupby(rows["colour"])["size"].median()
    assert size["red"] == pytest.approx(6, abs=0.7)
    assert size["blue"] == pytest.approx(0, abs=0.7)


def test_what_is_drawn_sees_the_part_that_is_there_of_what_rules_keep_together(fitted, rows):
    done = fitted.complete(rows[["letter"]])
    agrees = done["mark"] == done["letter"].map({"a": "x", "b": "y", "c": "z"})
    assert agrees.mean() > 0.85
    digits = fitted.complete(rows[["digit"]])
    assert (digits["mark"][digits["digit"] == 1] == "x").mean() > 0.85


def test_what_rules_keep_together_is_kept_with_the_part_that_is_there(fitted, rows):
    without_digit = fitted.complete(rows.assign(digit=None))
    assert (without_digit["digit"] == rows["digit"]).all()
    without_letter = fitted.complete(rows.assign(letter=None))
    assert (without_letter["letter"].map({"a": 1, "b": 2, "c": 2}) == rows["digit"]).all()
    assert {"b", "c"} == set(without_letter["letter"][rows["digit"] == 2])


def test_what_follows_is_computed_and_what_it_follows_from_is_found(fitted, rows):
    done = fitted.complete(rows.assign(total=np.nan))
    assert (done["total"] == rows["total"]).all()
    table = rows.astype({"two": float})
    table.loc[:4, "two"] = np.nan
    found = fitted.complete(table)
    assert (found["one"] + found["two"] == found["total"]).sum() >= len(rows) - 2


def test_cells_that_keep_no_rule_are_told(fitted, rows):
    impossible = rows.assign(one=np.nan, two=np.nan, total=1_000)
    with pytest.warns(UserWarning, match="does not go with those there by a rule"):
        fitted.complete(impossible.head(20))


def test_a_column_that_is_not_there_or_is_named_is_drawn_whole(fitted):
    rows = made(3_000, 1)
    done = fitted.complete(rows.drop(columns="colour"))
    assert list(done.columns) == list(rows.columns)
    red = done["colour"] == "red"
    assert red[rows["size"] > 4.5].mean() > 0.8
    anew = fitted.complete(rows, columns=["colour"])
    assert 0.02 < anew["colour"].isna().mean() < 0.25, "as often missing as in the table"
    assert (anew["colour"] != rows["colour"]).any()


def test_several_draws_tell_how_sure_they_are(fitted, rows):
    table = rows.assign(size=np.nan)
    draws = fitted.complete(table, n=4)
    assert draws.index.names[0] == "draw"
    assert len(draws) == 4 * len(rows)
    spread = draws["size"].groupby(level=1).std()
    assert spread.median() > 0.3
    assert fitted.complete(table)["size"].equals(draws.loc[0]["size"])


def test_a_row_is_completed_alike_in_whatever_pieces(fitted, rows):
    table, _ = blanked(rows, 0.4)
    arrow = pa.Table.from_pydict(
        {name: pa.array(table[name], fitted.schema[name].type, from_pandas=True) for name in rows}
    )
    bundle = fitted.bundle
    completer = Completer(Drawer(bundle.model(), bundle.codec.layout), bundle.codec)
    for seed in range(5):
        whole = completer.complete(arrow, seed=seed).table
        pieces = [
            completer.complete(arrow.slice(at, 150), seed=seed, start=at).table
            for at in range(0, len(arrow), 150)
        ]
        assert pa.concat_tables(pieces).equals(whole)
    assert not completer.complete(arrow, seed=3).table.equals(whole)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"columns": ["colours"]}, TableError, "found 'colours'"),
        ({"n": 0}, ConfigError, "n must be at least 1"),
        ({"seed": -1}, ConfigError, "seed must be 0 or more"),
    ],
)
def test_what_cannot_be_asked(fitted, rows, arguments, error, message):
    with pytest.raises(error, match=message):
        fitted.complete(rows, **arguments)


def test_cells_of_another_type_are_one_clear_line(fitted, rows):
    with pytest.raises(TableError, match=r"column 'one': expected int64, found large_string"):
        fitted.complete(rows.assign(one="many"))


def test_the_papers_preset_cannot(rows):
    few = rows[["size", "colour"]]
    paper = Synthesizer(preset="paper", epochs=1, verbose=False).fit(few)
    with pytest.raises(GTCoderError, match="cannot complete rows"):
        paper.complete(few)
