"""Eq. 8 and 9 against torch.distributions."""

import pytest
import torch
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    kl_divergence,
)

from gtcoder.codec.layout import Layout
from gtcoder.model.prior import LabelPrior, gaussian_log_prob


@pytest.fixture
def layout(field):
    return Layout(
        (
            field("a", [0.2, 0.3, 0.5]),
            field("x", [0.5, 0.5], discrete=False),
            field("b", [0.9, 0.1]),
            field("c", [1, 1, 1, 1]),
        )
    )


@pytest.fixture
def prior(layout):
    torch.manual_seed(0)
    return LabelPrior(layout, 8, 3, gaussians=True)


def test_gaussian_log_prob():
    torch.manual_seed(0)
    z, mu, logvar = torch.randn(3, 7, 4)
    expected = Normal(mu, (0.5 * logvar).exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(gaussian_log_prob(z, mu, logvar), expected)


def test_log_prob_is_the_uniform_mixture_of_the_active_components(prior):
    codes = torch.tensor([[0, 1, 0, 3], [2, 0, 1, 0], [1, 1, 1, 2]])
    z = torch.randn(3, 3)
    components = torch.stack([codes[:, 0], 3 + codes[:, 2], 5 + codes[:, 3]], 1)  # (B, M)
    mu, logvar = prior.components(components)
    mixture = MixtureSameFamily(
        Categorical(torch.ones(3, 3)), Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    )
    torch.testing.assert_close(prior.log_prob(z, codes), mixture.log_prob(z))


def test_one_draw_estimates_the_divergence(field):
    """Eq. 9, averaged over many draws, where Eq. 8 is one Gaussian and the KL is closed."""
    torch.manual_seed(0)
    prior = LabelPrior(Layout((field("a", [1, 1]),)), 8, 3, gaussians=True)
    mu, logvar = torch.randn(3) * 0.3, torch.tensor([-1.0, 0.2, -0.5])
    codes = torch.ones(40_000, 1, dtype=torch.long)
    z = mu + (0.5 * logvar).exp() * torch.randn(len(codes), 3)
    draws = gaussian_log_prob(z, mu, logvar) - prior.log_prob(z, codes)
    prior_mu, prior_logvar = prior.components(torch.tensor(1))
    closed = kl_divergence(
        Normal(mu, (0.5 * logvar).exp()), Normal(prior_mu, (0.5 * prior_logvar).exp())
    ).sum()
    assert abs(draws.mean() - closed) < 5 * draws.std() / len(codes) ** 0.5


def test_only_active_categories_count(prior):
    codes, z = torch.tensor([[0, 0, 1, 2]]), torch.randn(1, 3)
    before = prior.log_prob(z, codes)
    with torch.no_grad():
        prior.embedding.weight[[1, 2, 3, 5, 6, 8]] += 1.0  # all the others
    torch.testing.assert_close(prior.log_prob(z, codes), before, rtol=0, atol=0)
    with torch.no_grad():
        prior.embedding.weight[4] += 1.0
    assert prior.log_prob(z, codes) != before


def test_frequencies_are_the_weights_of_the_averaged_prior(prior):
    expected = torch.tensor([0.2, 0.3, 0.5, 0.9, 0.1, 0.25, 0.25, 0.25, 0.25]) / 3
    torch.testing.assert_close(prior.frequencies, expected)
