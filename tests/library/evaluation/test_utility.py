"""Train on one table, test on another: what a good, a useless and a broken table score."""

import numpy as np
import pyarrow as pa
import pytest

from gtcoder.errors import SchemaError, TableError
from gtcoder.evaluation.roles import Task
from gtcoder.evaluation.utility import paper_scores


def make_rows(rows, seed=0):
    """Sex and colour decide the class with 90 %, size the weight."""
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "green", "blue"], rows)
    size = rng.normal(10, 2, rows)
    sure = rng.random(rows) < 0.9
    label = np.where(sure, (colour == "red") & (size > 9), rng.random(rows) < 0.5)
    return pa.table(
        {
            "colour": colour,
            "size": size,
            "label": pa.array(np.where(label, "yes", "no")).dictionary_encode(),
            "weight": 2 * size + (colour == "blue") + rng.normal(0, 0.1, rows),
            "stars": pa.array(np.digitize(size, [9, 11])),
        }
    )


@pytest.fixture(scope="module")
def real():
    return make_rows(600)


@pytest.fixture(scope="module")
def test_rows():
    return make_rows(300, seed=1)


def shuffled(table, column):
    rng = np.random.default_rng(99)
    at = table.column_names.index(column)
    return table.set_column(at, column, table[column].take(rng.permutation(len(table))))


def test_rows_of_the_same_table_predict_as_well_as_the_rule_allows(real, test_rows):
    scores = paper_scores(real, test_rows, "label", seed=0)
    assert scores.task is Task.CLASSIFICATION
    assert list(scores.by_model) == ["decision_tree", "random_forest", "ada_boost"]
    assert all(0.75 < each["f1_macro"] < 1 for each in scores.by_model.values())
    assert scores.mean["f1_macro"] == pytest.approx(
        np.mean([each["f1_macro"] for each in scores.by_model.values()])
    )
    assert scores.boosted > 0.85
    assert scores == paper_scores(real, test_rows, "label", seed=0)


def test_a_target_that_depends_on_nothing_is_not_predicted(real, test_rows):
    scores = paper_scores(shuffled(real, "label"), test_rows, "label", seed=0)
    assert scores.mean["f1_macro"] < 0.6
    assert scores.boosted == pytest.approx(0.5, abs=0.1)


def test_numbers_are_regressed(real, test_rows):
    scores = paper_scores(real, test_rows, "weight", seed=0)
    assert scores.task is Task.REGRESSION
    assert list(scores.by_model) == ["ridge", "linear", "gradient_boosting"]
    assert scores.mean["r2"] > 0.97
    assert 0.1 < scores.boosted < 0.6  # the noise is .1, in the target's own unit
    useless = paper_scores(shuffled(real, "weight"), test_rows, "weight", seed=0)
    assert useless.mean["r2"] < 0.1
    assert useless.boosted > 3


def test_whole_numbers_of_few_values_are_classes(real, test_rows):
    assert paper_scores(real, test_rows, "stars", seed=0).task is Task.CLASSIFICATION
    scores = paper_scores(real, test_rows, "stars", seed=0, task=Task.REGRESSION)
    assert scores.task is Task.REGRESSION


def test_a_class_that_is_never_produced_is_a_low_score(real, test_rows):
    constant = real.set_column(2, "label", pa.array(["no"] * len(real)).dictionary_encode())
    scores = paper_scores(constant, test_rows, "label", seed=0, reference=real)
    share = np.mean([v == "no" for v in test_rows["label"].to_pylist()])
    assert scores.mean["f1_macro"] == pytest.approx(share / (1 + share))
    assert scores.boosted == 0.5
    flat = real.set_column(3, "weight", pa.array([20.0] * len(real)))
    assert paper_scores(flat, test_rows, "weight", seed=0, reference=real).mean["r2"] < 0.05
    two = real.filter(pa.array([v != 2 for v in real["stars"].to_pylist()]))
    some = paper_scores(two, test_rows, "stars", seed=0, reference=real)
    assert 0.4 < some.mean["f1_macro"] < 0.7  # two of three classes are right


def test_one_class_to_test_on_measures_nothing(real, test_rows):
    """A table that always says yes would reach an F1 of 1."""
    label = pa.array(["yes"] * len(test_rows)).dictionary_encode()
    scores = paper_scores(real, test_rows.set_column(2, "label", label), "label", seed=0)
    found = [*scores.mean.values(), *scores.by_model["ada_boost"].values(), scores.boosted]
    assert np.isnan(found).all()
    flat = test_rows.set_column(3, "weight", pa.array([20.0] * len(test_rows)))
    scores = paper_scores(real, flat, "weight", seed=0)
    assert np.isnan(scores.mean["r2"])
    assert scores.boosted > 0  # an error is one, whatever the values are


def test_what_the_real_table_never_had_does_no_harm(real, test_rows):
    odd = real.set_column(0, "colour", pa.array(["mauve", None] * 300))
    odd = odd.set_column(1, "size", pa.array([np.nan, np.inf, None, 1e300] * 150))
    scores = paper_scores(odd, test_rows, "label", seed=0, reference=real)
    assert 0 < scores.mean["f1_macro"] < 0.7
    assert np.isfinite(paper_scores(odd, test_rows, "weight", seed=0, reference=real).boosted)


def test_missing_values_are_filled_and_flagged(test_rows):
    gone = np.random.default_rng(0).random(600) < 0.5
    real = make_rows(600)
    holed = real.set_column(1, "size", pa.array(real["size"].to_numpy(), mask=gone))
    holed = holed.set_column(3, "weight", pa.array(np.where(gone, 1.0, 50.0), mask=gone))
    label = pa.array(np.where(gone, "gone", "here"))
    holed = holed.set_column(2, "label", label)
    scores = paper_scores(holed.slice(0, 400), holed.slice(400), "label", seed=0)
    assert scores.mean["f1_macro"] == 1.0  # only the indicator knows


def test_an_unknown_target_names_those_that_are_near(real, test_rows):
    with pytest.raises(SchemaError, match=r"'lable': no such column.*did you mean 'label'"):
        paper_scores(real, test_rows, "lable", seed=0)


def test_categories_are_not_regressed(real, test_rows):
    with pytest.raises(SchemaError, match="'colour': regression needs numbers"):
        paper_scores(real, test_rows, "colour", seed=0, task=Task.REGRESSION)


def test_too_few_rows_say_how_many_are_needed(real, test_rows):
    with pytest.raises(TableError, match="at least 10 rows that have it to test on, found 4"):
        paper_scores(real, test_rows.slice(0, 4), "label", seed=0)
    empty = real.set_column(2, "label", pa.nulls(600, pa.string()).dictionary_encode())
    with pytest.raises(TableError, match="to learn from, found 0"):
        paper_scores(empty, test_rows, "label", seed=0, reference=real)
