"""The latent mixture against torch.distributions, and EM on mixtures that are known."""

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from gtcoder.model.latent import LatentMixture


@pytest.fixture
def mixture() -> LatentMixture:
    torch.manual_seed(0)
    mixture = LatentMixture(5, 3)
    mixture.weights = torch.rand(5).softmax(0)
    mixture.means = torch.randn(5, 3)
    factors = torch.randn(5, 3, 3).tril() * 0.3
    mixture.cholesky = factors + torch.diag_embed(torch.rand(5, 3) + 0.2).tril()
    mixture.cholesky.diagonal(dim1=1, dim2=2).abs_().add_(0.1)
    mixture.refresh()
    return mixture


def as_distribution(mixture: LatentMixture) -> MixtureSameFamily:
    return MixtureSameFamily(
        Categorical(mixture.weights), MultivariateNormal(mixture.means, scale_tril=mixture.cholesky)
    )


def em_step(mixture: LatentMixture, z: torch.Tensor) -> float:
    """One step; the mean log likelihood before it."""
    likelihood = float(mixture.log_prob(z).mean())
    mixture.update(*(m.double() for m in mixture.moments(z)), 1e-4)
    return likelihood


def test_log_prob(mixture):
    z = torch.randn(50, 3) * 2
    expected = as_distribution(mixture).log_prob(z)
    torch.testing.assert_close(mixture.log_prob(z), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mixture.joint_log_prob(z).exp().sum(1), expected.exp())


def test_gradients_pull_z_but_not_the_mixture(mixture):
    z = torch.randn(2, 3, requires_grad=True)
    mixture.log_prob(z).sum().backward()
    assert z.grad is not None
    assert not list(mixture.parameters())


def test_moments_add_up(mixture):
    z = torch.randn(100, 3)
    parts = [mixture.moments(part) for part in z.split([1, 60, 39])]
    for whole, *pieces in zip(mixture.moments(z), *parts, strict=True):
        torch.testing.assert_close(sum(pieces), whole, rtol=1e-4, atol=1e-4)
    count, first, second = mixture.moments(z)
    torch.testing.assert_close(count.sum(), torch.tensor(100.0))
    torch.testing.assert_close(first.sum(0), z.sum(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(second.sum(0), z.T @ z, rtol=1e-4, atol=1e-3)


def test_em_recovers_a_known_mixture():
    torch.manual_seed(0)
    true = LatentMixture(3, 2)
    true.weights = torch.tensor([0.5, 0.3, 0.2])
    true.means = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    true.cholesky = torch.tensor(
        [[[1.0, 0.0], [0.5, 0.5]], [[0.5, 0.0], [-0.4, 1.0]], [[0.3, 0.0], [0.0, 0.3]]]
    )
    z = as_distribution(true).sample((20_000,))
    fitted = LatentMixture(3, 2)
    fitted.means = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    fitted.refresh()
    likelihoods = [em_step(fitted, z) for _ in range(40)]
    assert (torch.tensor(likelihoods).diff() > -1e-4).all()
    torch.testing.assert_close(fitted.weights, true.weights, atol=0.02, rtol=0)
    torch.testing.assert_close(fitted.means, true.means, atol=0.05, rtol=0)
    covariances = [m.cholesky @ m.cholesky.mT for m in (fitted, true)]
    torch.testing.assert_close(*covariances, atol=0.06, rtol=0)
    assert abs(likelihoods[-1] - float(as_distribution(true).log_prob(z).mean())) < 0.01


def test_the_likelihood_does_not_fall_with_more_components_than_there_are():
    torch.manual_seed(1)
    z = torch.randn(2_000, 3).cumsum(1)
    mixture = LatentMixture(12, 3)
    mixture.means = z[:12].clone()
    mixture.refresh()
    likelihoods = torch.tensor([em_step(mixture, z) for _ in range(30)])
    assert (likelihoods.diff() > -5e-3).all()
    assert likelihoods[-1] > likelihoods[0] + 0.1


def test_a_component_of_one_row_does_not_collapse_onto_it():
    torch.manual_seed(0)
    crowd, hermit = torch.randn(500, 2), torch.tensor([[30.0, 30.0]])
    mixture = LatentMixture(2, 2)
    mixture.means = torch.cat([torch.zeros(1, 2), hermit])
    mixture.refresh()
    for _ in range(5):
        em_step(mixture, torch.cat([crowd, hermit]))
    pooled, lone = (mixture.cholesky @ mixture.cholesky.mT).diagonal(dim1=1, dim2=2)
    assert (lone > pooled / 2).all()


def test_a_component_without_rows_stays_harmless():
    torch.manual_seed(0)
    mixture = LatentMixture(2, 2)
    mixture.means = torch.tensor([[0.0, 0.0], [1e4, 1e4]])
    mixture.refresh()
    z = torch.randn(100, 2)
    em_step(mixture, z)
    assert mixture.weights[1] == 0
    assert mixture.log_prob(z).isfinite().all()


def test_resize_takes_any_number_of_components(mixture):
    mixture.resize(torch.ones(1), torch.zeros(1, 3), torch.eye(3).unsqueeze(0))
    expected = MultivariateNormal(torch.zeros(3), torch.eye(3)).log_prob(torch.ones(1, 3))
    torch.testing.assert_close(mixture.log_prob(torch.ones(1, 3)), expected)


def test_the_density_is_float32_under_autocast(mixture):
    z = torch.randn(500, 3)
    plain = mixture.log_prob(z)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(mixture.log_prob(z), plain, rtol=0, atol=0)
        torch.testing.assert_close(mixture.log_prob(z.bfloat16()), plain, rtol=0.1, atol=0.1)
