"""What the baselines share, each part against an oracle."""

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from gtcoder.paper.baselines.conditional_vector import ConditionalVectors
from gtcoder.paper.baselines.loop import Passes, Rows, loop
from gtcoder.paper.baselines.networks.adversary import Critic
from gtcoder.paper.baselines.networks.gaussian import gaussian_kl, log_density, merge
from gtcoder.paper.baselines.networks.likelihood import RowLikelihood
from gtcoder.paper.baselines.spans import Spans

CPU = torch.device("cpu")


@pytest.fixture
def spans(layout):
    return Spans(layout, CPU)


@pytest.fixture
def rows(encoded):
    return Rows.of(encoded, CPU)


def test_vectors_and_back(spans, rows):
    codes, scalars = rows.take(torch.arange(100))
    vectors = spans.vectors(codes, scalars)
    assert vectors.shape == (100, spans.width)
    assert torch.equal(vectors[:, spans.scalars :].sum(1), torch.full((100,), 4.0))
    found = spans.read(vectors)
    assert torch.equal(found[0], codes)
    assert torch.equal(found[1], scalars)


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_softmax_by_field(spans, scale):
    logits = torch.randn(50, spans.codes) * scale
    parts = logits.split(spans.sizes, 1)
    expected = torch.cat([part.softmax(1) for part in parts], 1)
    torch.testing.assert_close(spans.softmax(logits), expected, atol=1e-5, rtol=1e-4)
    codes = torch.stack([torch.randint(size, (50,)) for size in spans.sizes], 1)
    losses = [
        torch.nn.functional.cross_entropy(part, codes[:, k], reduction="none")
        for k, part in enumerate(parts)
    ]
    found = spans.cross_entropy(logits, codes)
    torch.testing.assert_close(found, torch.stack(losses, 1), atol=1e-4, rtol=1e-4)
    field = torch.randint(len(spans.sizes), (50,))
    one = spans.cross_entropy_of(logits, field, codes[torch.arange(50), field])
    torch.testing.assert_close(one, found[torch.arange(50), field])


def test_gumbel_draws_by_the_softmax(spans):
    torch.manual_seed(0)
    logits = torch.randn(spans.width).expand(20_000, -1)
    codes, _ = spans.read(spans.soften(logits, 0.2))
    expected = spans.softmax(logits[:1, spans.scalars :])[0].split(spans.sizes)
    for k, shares in enumerate(expected):
        found = torch.bincount(codes[:, k], minlength=len(shares)) / len(codes)
        torch.testing.assert_close(found, shares, atol=0.02, rtol=0)


def test_likelihood(spans, rows):
    likelihood = RowLikelihood(spans)
    codes, scalars = rows.take(torch.arange(20))
    outputs = torch.randn(20, spans.width)
    at = spans.scalars
    normal = Normal(outputs[:, :at].tanh(), 0.1)
    constant = 0.5 * np.log(2 * np.pi) * at
    expected = -normal.log_prob(scalars[:, spans.scalar_fields]).sum(1) - constant
    expected = expected + spans.cross_entropy(outputs[:, at:], codes).sum(1)
    found = likelihood.negative_log(outputs, codes, scalars)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_conditions_are_met_by_the_rows_they_choose(spans, rows):
    conditions = ConditionalVectors(spans, rows)
    asked = conditions.draw(2_000, by_log=True)
    chosen = rows.codes[conditions.rows(asked)].long()
    fields = conditions.fields[asked.column]
    assert torch.equal(chosen.gather(1, fields[:, None]).squeeze(1), asked.code)
    hot = conditions.vectors(asked)
    assert torch.equal(hot.sum(1), torch.ones(2_000))


def test_conditions_by_logarithm_and_by_frequency(spans, rows):
    torch.manual_seed(0)
    conditions = ConditionalVectors(spans, rows)
    counts = torch.bincount(rows.codes[:, 0].long()).double()
    for by_log, weights in ((True, counts.log1p()), (False, counts)):
        asked = conditions.draw(60_000, by_log=by_log)
        colour = asked.code[asked.column == 0]
        found = torch.bincount(colour, minlength=3) / len(colour)
        torch.testing.assert_close(found.double(), weights / weights.sum(), atol=0.01, rtol=0)
        shares = torch.bincount(asked.column) / len(asked.column)
        torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.01, rtol=0)


def test_critic_sees_rows_together_and_pays_for_its_slope():
    torch.manual_seed(0)
    critic = Critic(3, 8, together=5)
    real, fake = torch.randn(20, 3), torch.randn(20, 3)
    assert critic(real).shape == (4,)
    slopes = []
    for scale in (1.0, 100.0):
        critic.layers[-1].weight.data *= scale
        slopes.append(float(critic.loss(real, fake).detach()))
    assert slopes[1] > slopes[0] + 10


def test_gaussians():
    torch.manual_seed(0)
    one, other = ((torch.randn(7, 4), torch.rand(7, 4) + 0.1) for _ in range(2))
    p, q = (Independent(Normal(mu, var.sqrt()), 1) for mu, var in (one, other))
    torch.testing.assert_close(gaussian_kl(one, other), kl_divergence(p, q))
    z = torch.randn(7, 4)
    torch.testing.assert_close(log_density(z, one), p.log_prob(z))
    # the product of two densities is the merged one, up to a constant that does not depend on z
    product = p.log_prob(z) + q.log_prob(z) - log_density(z, merge(one, other))
    w = torch.randn(7, 4)
    again = p.log_prob(w) + q.log_prob(w) - log_density(w, merge(one, other))
    torch.testing.assert_close(product, again, atol=1e-4, rtol=1e-4)


def test_loop_goes_through_the_rows_and_keeps_to_its_time(rows):
    seen = []
    passes = Passes(epochs=2, batch_rows=1_000)
    assert loop(lambda batch, share: seen.append((batch, share)), rows, passes) == 2.0
    assert [share for _, share in seen] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    assert sorted(torch.cat([b for b, _ in seen[:3]]).tolist()) == list(range(3_000))
    assert loop(lambda batch, share: None, rows, Passes(epochs=9, batch_rows=9, max_time_s=0)) < 1
