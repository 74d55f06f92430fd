"""Leaks: what is found when training rows are there, and that nothing is when they are not."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from gtcoder.evaluation.distance import Points, nearest
from gtcoder.evaluation.frame import align
from gtcoder.evaluation.privacy.attack import FEWEST_OTHERS, Side, rate
from gtcoder.evaluation.privacy.copies import copy_shares
from gtcoder.evaluation.privacy.membership import infer_membership
from gtcoder.evaluation.privacy.nearness import nearer_share
from gtcoder.evaluation.roles import Roles


def make_rows(rows, seed):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "kind": rng.choice(["a", "b", "c"], rows),
            "size": rng.normal(0, 1, rows),
            "more": rng.normal(0, 1, rows),
        }
    )


@pytest.fixture(scope="module")
def tables():
    """Training rows, held-out ones, and as synthetic: noised copies and rows of their own."""
    train = make_rows(800, 0)
    noise = np.random.default_rng(9).normal(0, 0.01, 800)
    noised = train.set_column(1, "size", pa.array(train["size"].to_numpy() + noise))
    given = (train, make_rows(800, 1), noised, make_rows(800, 2))
    return align(Roles.of(train), *given)


def test_copies_are_found_in_any_batch_whatever_their_type():
    real = pa.table({"n": [1, 2, 3, None], "c": ["a", None, "c", "d"]})
    other = pa.table(
        {"n": [1.0, 2, 3, np.nan, 1.5], "c": pa.array(["a", None, "x", "d", "a"])}
    ).set_column(1, "c", pa.array(["a", None, "x", "d", "a"]).dictionary_encode())
    roles = Roles.of(pa.table({"n": list(range(9)), "c": [*"aabbccdd", None]}))
    batches = [real.slice(0, 2), real.slice(2)]
    assert copy_shares(roles, batches, [other, real, other.slice(2, 1)]) == [0.6, 1.0, 0.0]


def test_real_rows_are_copies_of_others_only():
    real = pa.table({"n": [1, 1, 2, 3, 3, 3], "c": list("aabccd")})
    roles = Roles.of(pa.table({"n": list(range(9)), "c": [*"aabbccdde"]}))
    batches = [real.slice(0, 1), real.slice(1, 0), real.slice(1)]
    assert copy_shares(roles, batches, [real, real], times=(1, 2)) == [1.0, 4 / 6]  # 1a, 1a, 3c, 3c


def test_distances_are_those_of_scaled_numbers_and_one_hot_categories():
    real = pa.table({"n": pa.array([0.0, 10, 5]), "c": ["a", "b", "c"]})
    other = pa.table({"n": pa.array([5.0, None, 10]), "c": ["a", "a", "d"]})
    one, two = align(Roles.of(real), real, other)
    at, to = Points.of(one, one), Points.of(one, two)
    found = nearest(to, at)
    # 5a: to 0a .5; missing a: filled with 0, to 0a 0; 10d: to 10b 2
    assert found.distance.tolist() == [0.5, 0, 2]
    assert found.place.tolist() == [0, 0, 1]
    squared = nearest(at, at, squared=True, itself=True)
    assert squared.distance == pytest.approx(np.sqrt([2.25, 2.25, 2.25]))


@pytest.mark.parametrize("numbers", [0, 1, 9])
@pytest.mark.parametrize("codes", [0, 1, 6, 300])
@pytest.mark.parametrize("squared", [False, True])
def test_the_nearest_row_is_that_of_a_full_search(numbers, codes, squared):
    rng = np.random.default_rng([numbers, codes])
    points = [
        Points(rng.random((rows, numbers)) ** 5 * 4, rng.integers(0, 5, (rows, codes), np.uint8))
        for rows in (70, 400)
    ]
    for rows, others, itself in ((*points, False), (points[1], points[1], True)):
        apart = np.abs(rows.numbers[:, None] - others.numbers) ** (2 if squared else 1)
        apart = apart.sum(2) + 2.0 * (rows.codes[:, None] != others.codes).sum(2)
        if itself:
            np.fill_diagonal(apart, np.inf)
        least = np.sqrt(apart.min(1)) if squared else apart.min(1)
        found = nearest(rows, others, squared=squared, itself=itself)
        assert found.distance == pytest.approx(least)
        assert np.take_along_axis(apart, found.place[:, None], 1)[:, 0] == pytest.approx(
            apart.min(1)
        )


def test_nearness_is_half_without_overfitting_and_more_with_it(tables):
    train, held_out, noised, fresh = tables
    rng = np.random.default_rng(0)
    assert nearer_share(train, held_out, noised, rows=800, rng=rng) > 0.9
    assert nearer_share(train, held_out, fresh, rows=800, rng=rng) == pytest.approx(0.5, abs=0.06)
    assert nearer_share(train, held_out, held_out, rows=800, rng=rng) == 0
    few = held_out.sample(100, rng)  # by its size alone the other table would get 8 of 9 rows
    assert nearer_share(train, few, fresh, rows=800, rng=rng) == pytest.approx(0.5, abs=0.1)
    assert nearer_share(train, few, noised, rows=800, rng=rng) > 0.9


def test_rating_agrees_with_the_textbook():
    rng = np.random.default_rng(0)
    side = Side(rng.normal(0.5, 1, 400).round(1), rng.normal(0, 1, 300).round(1))
    scores = np.concatenate([side.members, side.others])
    truth = np.repeat([1, 0], [400, 300])
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    found = rate({"one": [side]}, rng).largest
    assert found.auc.value == pytest.approx(roc_auc_score(truth, scores))
    assert found.tpr.value == pytest.approx(true[false <= 0.01].max())
    assert found.auc.low < found.auc.value < found.auc.high
    # Hanley and McNeil's standard error of this AUC is 0.021
    assert found.auc.high - found.auc.low == pytest.approx(2 * 1.96 * 0.021, rel=0.25)


def test_an_interval_holds_the_truth_as_often_as_it_says():
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = rate({"one": [blind(rng)]}, rng).attacks["one"].auc
        held += found.low <= 0.5 <= found.high
    assert held >= 34  # 95 % of 40 is 38; fewer than 34 has a chance of 1 %


def blind(rng):
    """An attack that guesses."""
    return Side(rng.normal(size=80), rng.normal(size=80))


def test_the_best_of_many_blind_attacks_is_not_taken_for_one_that_sees():
    winners = largest = 0
    for seed in range(40):
        rng = np.random.default_rng([seed, 1])
        found = rate({str(at): [blind(rng)] for at in range(8)}, rng)
        best = max((attack.auc for attack in found.attacks.values()), key=lambda auc: auc.value)
        assert (found.largest.auc.value, found.largest.auc.high) >= (best.value, best.high)
        winners += best.low > 0.5
        largest += found.largest.auc.low > 0.5
    assert winners >= 5  # 1 - .975⁸ of 40 is 7
    assert largest <= 3  # 2.5 % of 40 is 1; more than 3 has a chance of 2 %


def test_attacks_are_resampled_alike():
    rng = np.random.default_rng(0)
    side = blind(rng)
    found = rate({"one": [side], "same": [side], "weak": [blind(rng)]}, rng)
    assert found.attacks["one"] == found.attacks["same"]


def test_few_rows_say_nothing_about_one_in_a_hundred():
    rng = np.random.default_rng(0)
    few = Side(np.ones(50), np.zeros(FEWEST_OTHERS - 1))
    found = rate({"one": [few]}, rng)
    assert found.largest.tpr is None
    assert found.attacks["one"].auc.value == 1.0


def test_membership_is_found_where_rows_are_copied_and_only_there(tables):
    train, held_out, noised, fresh = tables
    options = {"members": 400, "rows": 800, "seed": 0}
    leaky = infer_membership(train, held_out, noised, **options)
    assert leaky.strongest == "density_ratio"
    assert leaky.largest.auc.low > 0.9
    assert leaky.attacks["density_ratio"].tpr.low > 0.3
    assert leaky.attacks["classifier"].auc.value > 0.55
    tight = infer_membership(train, held_out, fresh, **options)
    for attack in tight.attacks.values():
        assert attack.auc.value == pytest.approx(0.5, abs=0.05)
        assert attack.auc.low < 0.52
    assert (tight.members, tight.others, tight.synthetic) == (400, 800, 800)
