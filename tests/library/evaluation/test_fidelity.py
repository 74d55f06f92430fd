"""Likeness: hand-worked tables, and what copies, held-out rows and independent columns give."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import normalized_mutual_info_score

from gtcoder.evaluation.fidelity.detector import detect
from gtcoder.evaluation.fidelity.information import normalised_information, weighted_error
from gtcoder.evaluation.fidelity.lost import Lost, lost_categories
from gtcoder.evaluation.fidelity.manifold import compare_manifolds
from gtcoder.evaluation.fidelity.shape import kolmogorov_smirnov, missing_shares, shape_errors
from gtcoder.evaluation.fidelity.trend import correlation_error, trend_errors
from gtcoder.evaluation.frame import align
from gtcoder.evaluation.roles import Roles
from gtcoder.evaluation.samples import independent_columns


def frames(real, *others, target=None):
    return align(Roles.of(real, target=target), real, *others)


def four(x, y):
    return pa.table({"x": pa.array(x, pa.float64()), "y": y})


def make_rows(rows, seed):
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])
    size = rng.normal(0, 1, rows) + 3 * (kind == "b")
    return pa.table({"kind": kind, "size": size, "twice": 2 * size + rng.normal(0, 0.3, rows)})


@pytest.fixture(scope="module")
def three():
    """Real rows; and the same rows, held-out ones and independent columns beside them."""
    real, held_out = make_rows(1500, 0), make_rows(1500, 1)
    independent = independent_columns(real, np.random.default_rng(2))
    return frames(real, real, held_out, independent)


@pytest.mark.parametrize(
    ("other", "statistic"),
    [
        ([1, 2, 3, 4], 0.0),
        ([1, 2, 3, 3], 0.25),  # at 3: 3/4 against 1
        ([5, 6, 7, 8], 1.0),
        ([1, 1, 2, 2], 0.5),  # at 2: 2/4 against 1
        ([2, 2], 0.5),  # at 2: 2/4 against 1
    ],
)
def test_numbers_are_compared_by_their_distribution_functions(other, statistic):
    assert kolmogorov_smirnov(np.array([1.0, 2, 3, 4]), np.array(other, float)) == statistic


def test_missing_numbers_are_left_out_of_a_shape():
    gone = np.full(4, np.nan)
    some = np.array([1, np.nan, 2, np.nan])
    assert kolmogorov_smirnov(some, np.array([1.0, 2])) == 0
    assert kolmogorov_smirnov(some, gone) == 1
    assert kolmogorov_smirnov(gone, gone) == 0


def test_categories_are_compared_by_their_shares():
    real = four([1, 2, 3, 4], ["a", "a", "b", None])
    fake = four([1, 2, 3, 4], ["a", "c", "c", None])
    # a: 1/2, 1/4; b: 1/4, 0; c: 0, 1/2; missing 1/4, 1/4 -> half of 1/4 + 1/4 + 1/2
    assert shape_errors(*frames(real, fake)) == {"x": 0.0, "y": 0.5}
    assert missing_shares(frames(real)[0]) == {"x": 0.0, "y": 0.25}


def test_the_trend_of_two_numbers_is_half_the_difference_of_correlations():
    up, down = np.array([[1, 1], [2, 2], [3, 3.0]]), np.array([[1, 3], [2, 2], [3, 1.0]])
    crooked = np.array([[1, 1], [2, 3], [3, 2.0]])  # correlation 1/2
    assert correlation_error(up, down) == pytest.approx(1)
    assert correlation_error(up, crooked) == pytest.approx(0.25)
    constant = np.array([[1, 7], [2, 7], [3, 7.0]])
    assert correlation_error(up, constant) == pytest.approx(0.5)  # counts as no correlation
    assert np.isnan(correlation_error(constant, up))


def test_the_trend_of_a_number_and_a_category_cuts_at_the_real_bins():
    real = four([0, 1, 2, 10], ["a", "a", "b", "b"])
    same_cells = four([0.5, 1.5, 2.5, 10], ["a", "a", "b", "b"])  # edges 0, 1, … 10
    moved = four([0.5, 1.5, 2.5, 11], ["b", "a", "b", "b"])  # one row in another cell
    missing = four([0.5, 1.5, 2.5, None], ["a", "a", "b", "b"])
    errors = [trend_errors(*frames(real, fake))[0, 1] for fake in (same_cells, moved, missing)]
    assert errors == [0.0, 0.25, 0.25]


def test_the_trend_of_two_categories_is_the_joint_tables_distance():
    real = pa.table({"u": ["a", "a", "b", "b"], "v": ["x", "x", "y", "y"]})
    fake = pa.table({"u": ["a", "a", "b", "b"], "v": ["x", "y", "x", "y"]})
    errors = trend_errors(*frames(real, fake))
    assert errors[0, 1] == errors[1, 0] == 0.5
    assert np.isnan(errors[0, 0])


def test_categories_are_lost_only_if_enough_rows_were_to_have_them():
    real = pa.table({"c": ["a"] * 60 + ["b"] * 20 + ["c"] * 16 + ["d"] * 4, "n": range(100)})
    gone = real.set_column(0, "c", pa.array(["a"] * 99 + ["new"]))
    few = gone.slice(0, 30)  # were to have b 6 times, c 4.8 times
    frame, one, other = frames(real, gone, few)
    assert lost_categories(frame, frame) == {"c": Lost({}, 3)}
    assert lost_categories(frame, one) == {"c": Lost({"b": 20, "c": 16}, 3)}
    assert lost_categories(frame, other) == {"c": Lost({"b": 20}, 2)}
    empty = real.set_column(0, "c", pa.array(["a"] * 60 + ["b"] * 35 + [None] * 5))
    frame, one = frames(empty, real)
    assert lost_categories(frame, one) == {"c": Lost({None: 5}, 3)}


def test_information_is_one_for_twins_and_nothing_for_strangers():
    twins = pa.table({"u": ["a", "a", "b", "b"], "v": ["x", "x", "y", "y"]})
    strangers = pa.table({"u": ["a", "a", "b", "b"], "v": ["x", "y", "x", "y"]})
    half = pa.table({"u": ["a", "a", "b", "b"], "v": ["x", "x", "x", "y"]})
    one, other, third = frames(twins, strangers, half)
    found = [normalised_information(one, frame)[0, 1] for frame in (one, other, third)]
    quarter = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    shared = np.log(2) + quarter - 1.5 * np.log(2)  # H(v) - H(v|u): 1/2 · log 2 of u = b
    assert found == pytest.approx([1, 0, 2 * shared / (np.log(2) + quarter)])


def test_information_is_scikit_learns():
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.integers(0, 5, 300), "b": rng.integers(0, 3, 300), "c": [1] * 300})
    mixed = table.set_column(1, "b", pa.array(table["a"].to_numpy() // 2 + rng.integers(0, 2, 300)))
    found = normalised_information(*frames(table, mixed))
    a, b = mixed["a"].to_numpy(), mixed["b"].to_numpy()
    assert found[0, 1] == pytest.approx(normalized_mutual_info_score(a, np.minimum(b, 3)))
    assert found[0, 2] == 0


def test_the_information_error_weighs_pairs_by_their_information():
    real = np.array([[np.nan, 0.8, 0.0], [0.8, np.nan, 0.2], [0.0, 0.2, np.nan]])
    fake = np.array([[np.nan, 0.4, 0.2], [0.4, np.nan, 0.2], [0.2, 0.2, np.nan]])
    # weights 1.2, .2, .4; differences .4, .2, 0
    assert weighted_error(real, fake) == pytest.approx((1.2 * 0.4 + 0.2 * 0.2) / 1.8)
    assert weighted_error(np.zeros((2, 2)), np.zeros((2, 2))) == 0


def test_shape_and_trend_land_where_theory_says(three):
    real, same, held_out, independent = three
    for errors in (shape_errors, lambda a, b: {"all": np.nanmax(trend_errors(a, b))}):
        assert max(errors(real, same).values()) == 0
        assert 0 < max(errors(real, held_out).values()) < 0.12
    assert max(shape_errors(real, independent).values()) == 0
    pair = trend_errors(real, independent)
    assert pair[0, 1] == pytest.approx(0.5, abs=0.05)  # size and twice: correlation 1 to 0
    truth = normalised_information(real, real)
    wrong = [weighted_error(truth, normalised_information(real, f)) for f in three]
    assert wrong[:2] == [0, 0]
    assert wrong[2] < 0.05 < 0.15 < wrong[3]


def test_the_detector_knows_what_it_sees(three):
    real, same, held_out, independent = three
    assert detect(real, same, seed=0).score == 1.0
    assert detect(real, held_out, seed=0).auc == pytest.approx(0.5, abs=0.06)
    told = detect(real, independent, seed=0)
    assert told.auc > 0.9
    assert told.score < 0.2
    assert told.importance["twice"] > 0.1
    assert told == detect(real, independent, seed=0)


def test_the_detector_names_the_column_that_is_wrong():
    real, fake = make_rows(600, 0), make_rows(600, 1)
    kinds = np.random.default_rng(0).choice(["a", "b", "c"], 600, p=[0.1, 0.3, 0.6])
    real, fake = frames(
        *(
            t.append_column("late", k)
            for t, k in ((real, pa.array(np.sort(kinds)[::-1])), (fake, pa.array(["c"] * 600)))
        )
    )
    importance = detect(real, fake, seed=0).importance
    assert max(importance, key=importance.get) == "late"


def test_precision_and_recall_land_where_theory_says(three):
    real, same, held_out, independent = three
    rng = np.random.default_rng(0)
    others = [real, held_out, independent]
    copies, fresh, shuffled = compare_manifolds(real, others, rows=1000, rng=rng)
    assert compare_manifolds(real, [same], rows=1500, rng=rng)[0].beta_recall > 0.99
    assert copies.beta_recall > 0.7  # two samples of the same rows: most are copies
    assert fresh.beta_recall == pytest.approx(0.5, abs=0.05)
    assert fresh.alpha_precision > 0.95
    assert shuffled.beta_recall < 0.4


def test_kinds_decide_how_columns_are_compared():
    day = datetime.date(2020, 1, 1)
    table = pa.table(
        {
            "id": [f"row-{at}" for at in range(100)],
            "day": [day + datetime.timedelta(at % 9) for at in range(100)],
            "flag": pa.array([0.0, 1.0] * 50),
            "price": pa.array([None, *range(99)], pa.int32()).cast(pa.decimal128(12, 2)),
            "class": pa.array([1, 2, 3, 4] * 25, pa.int8()).dictionary_encode(),
            "none": pa.nulls(100),
        }
    )
    roles = Roles.of(table, target="flag")
    assert roles.continuous == ("day", "price")
    assert roles.discrete == ("flag", "class", "none")
    assert list(roles.left_out) == ["id"]
    frame = align(roles, table)[0]
    assert frame.column("day")[:3].tolist() == [0, 1, 2]
    assert frame.column("price")[1:4].tolist() == [0, 1, 2]
    assert np.isnan(frame.column("price")[0])
    overridden = Roles.of(table, schema={"columns": {"day": {"kind": "categorical"}}})
    assert "day" in overridden.discrete
