"""Eq. 10 and 12: the decoder is a probability over rows, one step a field."""

from itertools import product

import pytest
import torch
from torch.distributions import Normal
from torch.nn import functional

from gtcoder.codec.layout import Layout, Scalar
from gtcoder.model import steps as module
from gtcoder.model.decoder import Decoder
from gtcoder.model.outcomes import OutcomeTable, smooth_basis
from gtcoder.model.steps import CELLS, cells_of, digit_frequencies, steps_of
from gtcoder.model.sums import RunningSums


@pytest.fixture
def layout(field):
    return Layout((field("a", [0.2, 0.3, 0.5]), field("b", [0.9, 0.1]), field("c", [1, 1, 1, 2])))


def random_decoder(layout: Layout, *, autoregressive: bool = True) -> Decoder:
    torch.manual_seed(0)
    features = 16 if autoregressive else 0
    decoder = Decoder(layout, latent=2, hidden=16, features=features, autoregressive=autoregressive)
    torch.nn.init.normal_(decoder.heads.free)
    return decoder


def all_rows(layout: Layout) -> torch.Tensor:
    return torch.tensor(list(product(*(range(field.cardinality) for field in layout.fields))))


def outcomes(decoder: Decoder, codes: torch.Tensor) -> torch.Tensor:
    return decoder.outcomes(codes, torch.zeros_like(codes))


def logits(decoder: Decoder, z: torch.Tensor, codes: torch.Tensor) -> list[torch.Tensor]:
    return decoder.logits(decoder.states(decoder.expand(z), outcomes(decoder, codes)))


@pytest.fixture
def numbers(field):
    """A number whose last code is one value and that may be missing, before and after others."""
    number = field(
        "x",
        [3, 2, 1, 1],
        scalar=Scalar.UNIFORM,
        ordered=True,
        discrete=False,
        missing=1,
        spread=(True, True, False, False),
    )
    return Layout((field("a", [1, 1]), number, field("b", [1, 2])))


@pytest.mark.parametrize("autoregressive", [True, False])
def test_a_step_sees_what_was_drawn_before_it_and_nothing_after(layout, autoregressive):
    decoder = random_decoder(layout, autoregressive=autoregressive)
    z, codes = torch.randn(5, 2), torch.zeros(5, 3, dtype=torch.long)
    before = logits(decoder, z, codes)
    for k in range(3):
        changed = codes.clone()
        changed[:, k] = 1
        after = logits(decoder, z, changed)
        for s in range(3):
            sees = autoregressive and s > k
            assert torch.allclose(after[s], before[s], atol=1e-5) != sees, (k, s)


@pytest.mark.parametrize("autoregressive", [True, False])
def test_probabilities_of_all_rows_sum_to_1(layout, autoregressive):
    decoder, rows = random_decoder(layout, autoregressive=autoregressive), all_rows(layout)
    for z in torch.randn(4, 2):
        log_likelihood = -decoder.reconstruction(
            z.expand(len(rows), 2), rows, torch.zeros(rows.shape)
        )
        torch.testing.assert_close(log_likelihood.exp().sum(), torch.tensor(1.0))


def test_without_autoregression_columns_are_independent_given_z(layout):
    decoder, rows = random_decoder(layout, autoregressive=False), all_rows(layout)
    z = torch.randn(1, 2).expand(len(rows), 2)
    table = (-decoder.reconstruction(z, rows, torch.zeros(rows.shape))).exp().view(3, 2, 4)
    expected = torch.einsum("a,b,c->abc", table.sum((1, 2)), table.sum((0, 2)), table.sum((0, 1)))
    torch.testing.assert_close(table, expected)


def test_training_starts_at_the_marginals(layout):
    decoder, rows = Decoder(layout, latent=2, hidden=16, autoregressive=True), all_rows(layout)
    z = torch.randn(len(rows), 2)
    log_likelihood = -decoder.reconstruction(z, rows, torch.zeros(rows.shape))
    shares = [torch.tensor(field.frequencies) for field in layout.fields]
    expected = sum(share[rows[:, k]].log() for k, share in enumerate(shares))
    torch.testing.assert_close(log_likelihood, expected)


@pytest.mark.parametrize("cardinality", [1, 2, 256, 257, 300, 1_000, 4_098])
def test_digits_make_every_code_once(field, cardinality):
    layout = Layout((field("x", [1.0] * cardinality),))
    steps = steps_of(layout)
    assert len(steps) == (1 if cardinality <= 256 else 2)
    codes = torch.arange(cardinality).unsqueeze(1)
    digits = outcomes(random_decoder(layout), codes)
    made = sum(d * step.divisor for d, step in zip(digits, steps, strict=True))
    assert (made == codes[:, 0]).all()
    for digit, step in zip(digits, steps, strict=True):
        assert 0 <= digit.min() <= digit.max() == step.size - 1
    assert max(step.size for step in steps) <= max(256, 2 * cardinality**0.5)


def test_digit_frequencies_add_up_the_codes(field):
    shares = torch.rand(300).softmax(0)
    lead, trail = steps_of(Layout((field("x", shares.tolist()),)))
    assert (lead.size, trail.size) == (17, 18)
    padded = functional.pad(shares, (0, 17 * 18 - 300)).view(17, 18)
    torch.testing.assert_close(digit_frequencies(lead, shares.tolist()), padded.sum(1))
    torch.testing.assert_close(digit_frequencies(trail, shares.tolist()), padded.sum(0))


def test_a_field_in_two_digits_is_one_probability(field, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_STEP", 3)
    layout = Layout((field("a", [1, 1, 1, 1, 3, 2, 1, 1, 1]), field("b", [1, 2])))
    decoder, rows = random_decoder(layout), all_rows(layout)
    assert [step.size for step in decoder.steps] == [3, 3, 2]
    z = torch.randn(1, 2).expand(len(rows), 2)
    log_likelihood = -decoder.reconstruction(z, rows, torch.zeros(rows.shape))
    torch.testing.assert_close(log_likelihood.exp().sum(), torch.tensor(1.0))


def test_scalars_of_modes_are_gaussians(field):
    """Eq. 12 is −log N(scalar; tanh, θ) without its constant, for mode-coded fields alone."""
    layout = Layout(
        (
            field("x", [1, 1], scalar=Scalar.MODE, discrete=False),
            field("u", [1, 1], scalar=Scalar.UNIFORM, discrete=False),
            field("y", [1, 1, 1], scalar=Scalar.MODE, discrete=False),
        )
    )
    decoder = random_decoder(layout, autoregressive=False)
    torch.nn.init.normal_(decoder.step)
    with torch.no_grad():
        decoder.mode_log_std.copy_(torch.tensor([-1.0, 7.0, 0.5]))
    z, codes, scalars = torch.randn(6, 2), torch.zeros(6, 3, dtype=torch.long), torch.rand(6, 3)
    entropies = sum(
        functional.cross_entropy(each, codes[:, k], reduction="none")
        for k, each in enumerate(logits(decoder, z, codes))
    )
    mean, log_std = decoder.scalar_distribution(torch.relu(decoder.expand(z) + decoder.step[0]))
    assert mean.abs().max() <= 1
    gaussian = Normal(mean, log_std.exp()).log_prob(scalars)[:, [0, 2]].sum(1)
    constant = 2 * 0.5 * torch.log(torch.tensor(2 * torch.pi))
    expected = entropies - gaussian - constant
    torch.testing.assert_close(decoder.reconstruction(z, codes, scalars), expected)


@pytest.mark.parametrize("missing", [1, 2])
def test_a_number_for_each_of_256_values_and_missing_is_drawn_in_one_smooth_step(field, missing):
    number = field("x", [1.0] * (256 + missing), ordered=True, discrete=False, missing=missing)
    (step,) = steps_of(Layout((number,)))
    assert step.size == 256 + missing
    assert smooth_basis(step, number).any()


def test_dropped_outcomes_leave_the_mean_of_the_sum_as_it_is_in_drawing(layout):
    torch.manual_seed(0)
    decoder = Decoder(layout, latent=2, hidden=8, autoregressive=True, dropout=0.5)
    rows = all_rows(layout)[-1:]
    z = torch.zeros(1, 2)
    with torch.no_grad():
        decoder.step.fill_(10.0)  # keeps relu out of it
        expected = torch.cat(decoder.eval().states(decoder.expand(z), outcomes(decoder, rows)))
        decoder.train()
        many = rows.expand(40_000, -1)
        states = decoder.states(decoder.expand(z.expand(40_000, 2)), outcomes(decoder, many))
    torch.testing.assert_close(torch.cat(states).mean(1), expected[:, 0], atol=0.15, rtol=0)
    spread = (decoder.seen()[[2, 4]]).norm(dim=1).mean()
    assert spread > 0.2, "what is seen must matter"


def test_the_density_of_a_number_integrates_to_1(numbers):
    """Over all rows, and over the spans of the codes that have one."""
    decoder = random_decoder(numbers)
    assert [step.size for step in decoder.steps] == [2, 4, CELLS, 2]
    rows = all_rows(numbers).repeat_interleave(CELLS, 0)
    places = ((torch.arange(CELLS) + 0.5) / CELLS).repeat(len(rows) // CELLS)
    scalars = torch.zeros(rows.shape)
    scalars[:, 1] = places
    z = torch.randn(1, 2).expand(len(rows), 2)
    density = (-decoder.reconstruction(z, rows, scalars)).exp()
    torch.testing.assert_close(density.sum() / CELLS, torch.tensor(1.0))
    by_code = density.view(2, 4, 2, CELLS).transpose(0, 1).flatten(1, 2)  # (4, 4, CELLS)
    assert (by_code.std(-1) > 0.0001).all(1).tolist() == [True, True, False, False]


def test_a_number_is_seen_in_full_and_alike_on_both_sides_of_an_edge(numbers):
    decoder = random_decoder(numbers)
    torch.nn.init.normal_(decoder.seen.free)
    added = decoder.added(decoder.seen, decoder.tables().seen)
    codes, cells = added[1], added[2].view(4, CELLS, -1)
    seen = codes.unsqueeze(1) + cells  # (4, CELLS, H)
    steps = (seen[:2, 1:] - seen[:2, :-1]).norm(dim=2)
    edge = (seen[1, 0] - seen[0, -1]).norm()
    assert steps.min() > 0
    assert edge < 2 * steps.max(), "the line goes on over the edge"
    assert (cells[2:] == 0).all(), "one value, or none, has no place"


def test_a_single_value_has_a_vector_of_its_own_as_far_as_rows_speak_for_it(field):
    shares, spread = [0.1, 0.05, 0.4, 0.25, 0.2], (False, False, True, False, False)
    number = field("x", shares, ordered=True, scalar=Scalar.UNIFORM, spread=spread, missing=1)
    step = steps_of(Layout((number,)))[0]
    table = OutcomeTable([(step, number)], 3, 0.1, single_share=0.2)
    before = table()
    torch.nn.init.ones_(table.own)
    own = torch.tensor([0.5, 0.25, 0.0, 1.0, 0.0])  # bins and what is missing have none
    torch.testing.assert_close(table() - before, own.unsqueeze(1).expand(5, 3))


@pytest.mark.parametrize("way", [RunningSums.in_turn, RunningSums.in_few])
def test_drawing_adds_up_what_training_sees(numbers, monkeypatch, way):
    monkeypatch.setattr(RunningSums, "forward", way)
    decoder = random_decoder(numbers).eval()
    torch.nn.init.normal_(decoder.step)
    codes, scalars = torch.tensor([[1, 1, 1], [0, 3, 0]]), torch.rand(2, 3)
    z = torch.randn(2, 2)
    drawn = decoder.outcomes(codes, cells_of(scalars))
    states = torch.cat(decoder.states(decoder.expand(z), drawn))
    state = decoder.expand(z)
    for s, (added, step) in enumerate(
        zip(decoder.added(decoder.seen, decoder.tables().seen), decoder.steps, strict=True)
    ):
        found = states[decoder.grouped.order.index(s)]
        torch.testing.assert_close(found, decoder.seen_of(s, state + decoder.step[s]))
        at = drawn[s - 1] * CELLS + drawn[s] if step.is_cell else drawn[s]
        state = state + added[at]
