"""A drawn row is a function of its own random numbers, and meets its conditions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gtcoder.codec.layout import Constraint, Layout, Scalar
from gtcoder.model import steps
from gtcoder.model.gtcoder import GTCoder
from gtcoder.sampling.draw import Drawer
from gtcoder.sampling.options import Options, effective
from gtcoder.sampling.plan import FEW, MOST_TRIES
from gtcoder.training import em
from gtcoder.where.conditions import Conditions


def only(
    field: int, size: int, *codes: int, low=0.0, high=1.0, weight=1.0
) -> dict[int, Constraint]:
    weights = np.zeros(size, np.float32)
    weights[list(codes)] = weight
    ends = np.full(size, low, np.float32), np.full(size, high, np.float32)
    return {field: Constraint(weights, *ends)}


def merged(conditions) -> dict[int, Constraint]:
    return {at: one for condition in conditions for at, one in condition.items()}


class Drawing:
    """A drawer with a plan, or with one of so many tries whose logits are not shifted."""

    def __init__(self, model: GTCoder, layout: Layout, conditions=(), tries: int | None = None):
        self.drawer = Drawer(model, layout)
        asked = Conditions(merged(conditions))
        self.plan = self.drawer.plan(asked)
        if tries is not None:
            options = Options.of(self.drawer.folded, layout, asked)
            self.plan = replace(self.plan, options=options, tries=tries)

    def draw(self, uniforms: np.ndarray):
        return self.drawer.draw([(self.plan, uniforms)])


def draw(drawing: Drawing, rows: int, seed: int = 0):
    return drawing.draw(
        np.random.default_rng(seed).random((rows, drawing.drawer.width(drawing.plan)))
    )


def shares(codes: np.ndarray, size: int) -> np.ndarray:
    return np.bincount(codes, minlength=size) / len(codes)


def assert_same_shares(a: np.ndarray, b: np.ndarray, size: int) -> None:
    """Within five standard errors, and a little for a finite number of candidates."""
    p, q = shares(a, size), shares(b, size)
    error = np.sqrt(p * (1 - p) / len(a) + q * (1 - q) / len(b))
    assert (np.abs(p - q) <= 5 * error + 0.01).all(), (p, q)


@pytest.fixture(params=["free", "conditioned"])
def conditions(request):
    return [only(0, 3, 2)] if request.param == "conditioned" else []


def test_a_row_is_the_same_whatever_range_it_is_drawn_in(trained, layout, conditions):
    drawing = Drawing(trained, layout, conditions)
    uniforms = np.random.default_rng(0).random((1_100, drawing.drawer.width(drawing.plan)))
    whole = drawing.draw(uniforms)
    for start, stop in ((0, 1), (511, 513), (700, 1_100), (5, 5)):
        part = drawing.draw(uniforms[start:stop])
        np.testing.assert_array_equal(part.codes, whole.codes[start:stop])
        np.testing.assert_array_equal(part.scalars, whole.scalars[start:stop])
    assert whole.codes.dtype == np.int16
    assert whole.scalars.dtype == np.float32


def test_a_row_is_the_same_beside_rows_under_other_plans(trained, layout):
    wanted = ([], [only(0, 3, 2)], [only(3, 20, 7), only(1, 5, 1, low=0.25)], [], [only(2, 2, 1)])
    drawer = Drawer(trained, layout)
    plans = [drawer.plan(Conditions(merged(conditions))) for conditions in wanted]
    sizes = (900, 40, 33, 700, 1)
    rng = np.random.default_rng(0)
    parts = [
        (plan, rng.random((n, drawer.width(plan)))) for plan, n in zip(plans, sizes, strict=True)
    ]
    together = drawer.draw(parts)
    alone = [drawer.draw([part]) for part in parts]
    np.testing.assert_array_equal(together.codes, np.concatenate([each.codes for each in alone]))
    np.testing.assert_array_equal(
        together.scalars, np.concatenate([each.scalars for each in alone])
    )


def test_unconditioned_rows_are_like_the_table(trained, layout, encoded):
    drawn = draw(Drawing(trained, layout), 20_000)
    for k, field in enumerate(layout.fields):
        difference = shares(drawn.codes[:, k], field.cardinality) - np.array(field.frequencies)
        assert np.abs(difference).max() < 0.05, field.name
    joint = [c[:, 0] * 5 + c[:, 1] for c in (drawn.codes, encoded.codes)]
    assert np.abs(shares(joint[0], 15) - shares(joint[1], 15)).sum() < 0.15
    assert (drawn.scalars[:, [0, 2, 3]] == 0).all()
    assert 0 <= drawn.scalars[:, 1].min() < 0.01 < 0.99 < drawn.scalars[:, 1].max() < 1


@pytest.mark.parametrize(("at", "code"), [(0, 0), (2, 1), (3, 7)])
def test_a_condition_is_always_met_and_the_rest_is_like_the_tables(
    trained, layout, encoded, at, code
):
    size = layout.fields[at].cardinality
    rows = draw(Drawing(trained, layout, [only(at, size, code)]), 4_000)
    assert (rows.codes[:, at] == code).all()
    met = encoded.codes[encoded.codes[:, at] == code]
    for k, field in enumerate(layout.fields):
        difference = shares(rows.codes[:, k], field.cardinality) - shares(
            met[:, k], field.cardinality
        )
        assert np.abs(difference).max() < 0.1, field.name


class Small:
    """A model of three categories that says anything, whose every row can be counted."""

    def __init__(self, field, small, features=0):
        torch.manual_seed(3)
        fields = (field("a", [1, 2, 3]), field("b", [3, 1]), field("c", [1, 1, 1, 2]))
        self.layout = Layout(fields)
        self.model = GTCoder(self.layout, small(hidden=32, features=features).model).eval()
        decoder = self.model.decoder
        with torch.no_grad():
            for table in (decoder.heads, decoder.seen, decoder.ahead):
                table.free.normal_(std=0.5)
            decoder.tied.weight.normal_(std=0.2)
            decoder.inverse.weight.normal_(std=0.05)
        sizes = [field.cardinality for field in fields]
        self.rows = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), -1).reshape(-1, 3)

    def rest(self, *given: int) -> np.ndarray:
        """p(the other fields | those given as in the row) of every row."""
        codes, shown = torch.from_numpy(self.rows), torch.zeros(len(self.rows), 3, dtype=torch.bool)
        shown[:, list(given)] = True
        zeros = torch.zeros(codes.shape)
        with torch.no_grad():
            context = self.model.context_of(codes, zeros, shown)
            surprise = self.model.decoder.surprise(context, codes, zeros, shown)
        return np.exp(-surprise.sum(1).numpy())

    def assert_drawn(
        self, expected: np.ndarray, *conditions: dict[int, Constraint], tries: int = 1
    ) -> None:
        """Rows under conditions are as often what is expected of each."""
        drawn = draw(Drawing(self.model, self.layout, conditions, tries), 40_000).codes
        numbers = drawn @ np.array([8, 4, 1])
        assert_same_shares(
            numbers, np.repeat(np.arange(24), np.round(1e6 * expected).astype(int)), 24
        )


@pytest.fixture
def every(field, small) -> Small:
    return Small(field, small)


@pytest.mark.parametrize("features", [0, 32])
@pytest.mark.parametrize(("at", "code"), [(0, 1), (1, 0), (2, 3)])
def test_the_rest_is_drawn_exactly_as_the_model_says(field, small, at, code, features):
    every = Small(field, small, features)
    given = every.rows[:, at] == code
    expected = every.rest(at) * given
    assert expected.sum() == pytest.approx(1, abs=1e-5)
    size = every.layout.fields[at].cardinality
    every.assert_drawn(expected, only(at, size, code))


@pytest.mark.parametrize("features", [0, 32])
def test_two_values_given_are_seen_together(field, small, features):
    every = Small(field, small, features)
    given = (every.rows[:, 0] == 2) & (every.rows[:, 2] == 0)
    every.assert_drawn(every.rest(0, 2) * given, only(0, 3, 2), only(2, 4, 0))


@pytest.mark.parametrize("features", [0, 32])
def test_any_of_several_values_has_its_share_of_the_table(field, small, features):
    every = Small(field, small, features)
    share = np.array([0, 1 / 5, 0, 2 / 5]) / (3 / 5)  # c is 1 or 3
    every.assert_drawn(every.rest(2) * share[every.rows[:, 2]], only(2, 4, 1, 3))


@pytest.mark.parametrize("features", [0, 32])
def test_what_several_conditions_bind_together_is_weighed(field, small, features):
    """The rarer one is drawn first, the other by its likelihood; then the rest of both."""
    every = Small(field, small, features)
    first = np.array([0, 1 / 5, 0, 2 / 5])[every.rows[:, 2]] * every.rest(2)
    met = first * np.isin(every.rows[:, 0], [0, 2])
    pairs = np.zeros((3, 4))
    np.add.at(pairs, (every.rows[:, 0], every.rows[:, 2]), met / met.sum())
    expected = pairs[every.rows[:, 0], every.rows[:, 2]] * every.rest(0, 2)
    every.assert_drawn(expected, only(0, 3, 0, 2), only(2, 4, 1, 3))


@pytest.mark.parametrize("features", [0, 32])
def test_several_tries_come_nearer_to_what_rows_are_like(field, small, features):
    """To p(row) of all rows that have what is given, which the tries are weighed by."""
    every = Small(field, small, features)
    given, free = every.rows[:, 2] == 3, every.rest()
    wanted, once = free * given / free[given].sum(), every.rest(2) * given
    seen = []
    for tries in (1, 8, 64):
        drawn = draw(Drawing(every.model, every.layout, [only(2, 4, 3)], tries), 20_000).codes
        seen.append(np.abs(shares(drawn @ [8, 4, 1], 24) - wanted).sum())
    assert np.abs(once - wanted).sum() > 0.3
    assert seen[2] < 0.7 * seen[1] < 0.7 * 0.9 * seen[0]


@pytest.mark.parametrize(("at", "code", "before", "after"), [(1, 0, 0.2, 0.15), (1, 1, 0.5, 0.1)])
def test_shifts_make_columns_as_frequent_as_they_should_be(every, at, code, before, after):
    given, free = every.rows[:, at] == code, every.rest()
    wanted, off = free * given / free[given].sum(), []
    condition = only(at, every.layout.fields[at].cardinality, code)
    shifted = Drawing(every.model, every.layout, [condition])
    shifted.plan = replace(shifted.plan, tries=1)
    for drawing in (Drawing(every.model, every.layout, [condition], 1), shifted):
        drawn = draw(drawing, 20_000).codes
        found = [shares(drawn[:, k], 4) for k in range(3)]
        expected = [np.bincount(every.rows[:, k], wanted, minlength=4) for k in range(3)]
        off.append(np.abs(np.subtract(found, expected)).max())
    assert off[0] > before
    assert off[1] < after


def test_what_is_drawn_well_is_left_as_it_is(every):
    """Shifts that are fitted to some rows by chance alone would make others worse."""
    plan = Drawing(every.model, every.layout, [only(0, 3, 2)]).plan
    bare = Drawing(every.model, every.layout, [only(0, 3, 2)], 1)
    expected = bare.drawer.folded.shifted(bare.plan.options.begin)
    torch.testing.assert_close(plan.options.begin.shift, expected)
    assert plan.tries == 1


def test_tries_are_as_many_as_the_weights_vary(every, trained, layout):
    assert Drawing(every.model, every.layout, [only(2, 4, 1)]).plan.tries == MOST_TRIES
    assert Drawing(trained, layout, [only(2, 2, 0, 1)]).plan.tries < MOST_TRIES
    assert Drawing(trained, layout).plan.tries == 1


def test_conditions_that_are_seldom_met_together_are_told(trained, layout):
    often = Drawing(trained, layout, [only(1, 5, 2, 3), only(3, 20, 10, 11)]).plan
    assert not often.warning
    assert often.options.candidates >= often.options.effective > FEW
    seldom = replace(often, options=replace(often.options, candidates=4_096, effective=37.2))
    assert "4,096 candidates that count for 37" in seldom.warning


def test_weights_count_for_as_many_as_would_weigh_alike():
    assert effective(torch.zeros(50)) == pytest.approx(50)
    assert effective(torch.tensor([0.0, 0.0, -80.0, 700.0 - 780.0])) == pytest.approx(2)
    assert effective(torch.tensor([2.0, 1.0]).log()) == pytest.approx(9 / 5)


def test_several_conditions_and_any_of_several_codes(trained, layout):
    wanted = [only(0, 3, 0, 1), only(1, 5, 1, 2, low=0.25, high=0.5), only(2, 2, 1)]
    rows = draw(Drawing(trained, layout, wanted), 4_000)
    assert set(rows.codes[:, 0]) == {0, 1}
    assert set(rows.codes[:, 1]) == {1, 2}
    assert (rows.codes[:, 2] == 1).all()
    assert 0.25 <= rows.scalars[:, 1].min() < rows.scalars[:, 1].max() <= 0.5


def test_half_of_a_bin_weighs_half(trained, layout):
    weights = np.array([1, 1, 0.5, 0, 0], np.float32)
    high = np.array([1, 1, 0.5, 1, 1], np.float32)
    below = {1: Constraint(weights, np.zeros(5, np.float32), high)}
    rows = draw(Drawing(trained, layout, [below]), 20_000)
    assert (rows.codes[:, 1] + rows.scalars[:, 1] <= 2.5).all()
    expected = weights * layout.fields[1].frequencies
    found = shares(rows.codes[:, 1], 5)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=0.02)


def test_uniforms_next_to_one_stay_inside(trained, layout):
    for conditions in ([only(0, 3, 0, 1)], []):
        drawing = Drawing(trained, layout, conditions)
        rows = drawing.draw(np.full((3, drawing.drawer.width(drawing.plan)), np.nextafter(1, 0)))
        assert (rows.scalars < 1).all()
        assert not conditions or (rows.codes[:, 0] < 2).all()


def test_a_condition_is_met_where_the_decoder_is_sure_it_is_not(trained, layout):
    model = GTCoder(layout, trained.config)
    model.load_state_dict(trained.state_dict())
    model.mixture.refresh()
    with torch.no_grad():
        model.decoder.bias[2] = -500.0
    rows = draw(Drawing(model, layout, [only(0, 3, 2)]), 500)
    assert (rows.codes[:, 0] == 2).all()


def test_conditions_on_a_field_drawn_in_two_digits(trained, layout, monkeypatch):
    monkeypatch.setattr(steps, "LARGEST_STEP", 6)
    model = GTCoder(layout, trained.config)
    with torch.no_grad():
        torch.nn.init.normal_(model.decoder.heads.free, std=0.5)
    assert [step.size for step in model.decoder.steps] == [3, 5, 16, 2, 4, 5]
    wanted = (3, 4, 19)
    rows = draw(Drawing(model, layout, [only(3, 20, *wanted)]), 3_000)
    share = np.array(layout.fields[3].frequencies)[list(wanted)]
    found = shares(rows.codes[:, 3], 20)
    np.testing.assert_allclose(found[list(wanted)], share / share.sum(), atol=0.04)


def test_scalars_of_modes_follow_the_decoder_and_the_condition(field, small):
    layout = Layout((field("x", [0.4, 0.6], scalar=Scalar.MODE, discrete=False),))
    model = GTCoder(layout, small(latent_mixture=False, conditional=False).model)
    em.from_labels(model)
    with torch.no_grad():
        model.decoder.mode_mean.weight.zero_()
        model.decoder.mode_mean.bias.fill_(0.3)
        model.decoder.mode_log_std.fill_(-1.0)
    mean, std = np.tanh(0.3), np.exp(-1.0)
    free = draw(Drawing(model, layout), 40_000).scalars[:, 0]
    inside = np.abs(free) < 1
    expected = torch.distributions.Normal(mean, std)
    for at in (-0.5, 0.0, 0.5):
        assert abs((free < at).mean() - float(expected.cdf(torch.tensor(at)))) < 0.015
    assert inside.mean() > 0.95
    assert np.abs(free).max() == 1
    within = only(0, 2, 1, low=0.5, high=0.7)
    rows = draw(Drawing(model, layout, [within]), 20_000)
    assert (rows.codes == 1).all()
    assert 0.5 <= rows.scalars.min() < rows.scalars.max() <= np.float32(0.7)
    met = free[(free >= 0.5) & (free <= 0.7)]
    assert abs(np.mean(rows.scalars) - met.mean()) < 0.004
    open_ended = draw(Drawing(model, layout, [only(0, 2, 1, low=-1.0, high=1.0)]), 40_000)
    assert abs((open_ended.scalars == 1).mean() - (free == 1).mean()) < 0.006


def test_no_rows(trained, layout):
    rows = draw(Drawing(trained, layout), 0)
    assert rows.codes.shape == rows.scalars.shape == (0, 4)
