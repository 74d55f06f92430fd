"""EM over posteriors: one process or two, the paper's prior."""

import numpy as np
import pytest
import torch

from gtcoder.codec.layout import Encoded, Layout
from gtcoder.model.gtcoder import GTCoder
from gtcoder.training import em
from gtcoder.training.rows.encoded import EncodedRows

TWO = """
from gtcoder.training import em
from gtcoder.config import ModelConfig
from gtcoder.codec.layout import Field, Layout, Scalar
from gtcoder.model.gtcoder import GTCoder

field = Field(name="a", cardinality=2, scalar=Scalar.NONE, discrete=True, ordered=False,
              frequencies=(0.5, 0.5))
given = torch.load(f"{folder}/given.pt")
mine = slice(rank, None, 2)
model = GTCoder(Layout((field,)), ModelConfig(**given["config"]))
model.mixture.means = given["means"]
model.mixture.refresh()
mu = given["mu"][mine]
logvar = torch.full_like(mu, -60.0)
em.iterate(model, mu, logvar, 5, seed=0, fits=0)
result = dict(model.mixture.state_dict())
"""


def test_two_processes_find_the_mixture_that_one_does(two_workers, tmp_path, field, small):
    torch.manual_seed(0)
    config = small(components=3).model
    mu = torch.randn(999, 2).sign() * 2 + torch.randn(999, 2) * 0.3
    model = GTCoder(Layout((field("a"),)), config)
    model.mixture.means = mu[:3].clone()
    model.mixture.refresh()
    given = {"config": config.to_dict(), "means": mu[:3].clone(), "mu": mu}
    torch.save(given, tmp_path / "given.pt")
    logvar = torch.full_like(mu, -60.0)  # no noise, which each process draws for itself
    em.iterate(model, mu, logvar, 5, seed=0, fits=0)
    first, second = two_workers(TWO)
    for name, one in model.mixture.state_dict().items():
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
        torch.testing.assert_close(first[name], one, rtol=1e-4, atol=1e-5)


def test_start_spreads_components_over_the_posteriors(layout, encoded, small):
    torch.manual_seed(0)
    model = GTCoder(layout, small(components=8).model)
    rows = EncodedRows.of(encoded, seed=0, validation_fraction=0.0)
    em.start(model, rows, seed=0)
    mixture = model.mixture
    assert torch.isclose(mixture.weights.sum(), torch.tensor(1.0))
    assert len(mixture.means.unique(dim=0)) == 8
    mu, logvar, *_ = em.posteriors(model, encoded)
    z = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
    before = float(mixture.log_prob(z).mean())
    em.refresh(model, rows, seed=0, fits=1)
    em.finish(model, rows, seed=0, fits=2)
    assert float(mixture.log_prob(z).mean()) > before - 0.01


def test_the_papers_way_averages_the_label_prior(layout, small):
    torch.manual_seed(0)
    model = GTCoder(layout, small(latent_mixture=False).model)
    em.from_labels(model)
    z = torch.randn(10, 2)
    every = [
        (share / 3, k, code)
        for k, field in enumerate(layout.fields)
        if field.discrete
        for code, share in enumerate(field.frequencies)
    ]
    assert len(model.mixture.weights) == len(every) == 25
    mu, logvar = model.prior.components(torch.arange(25))
    shares = torch.tensor([share for share, _, _ in every])
    each = torch.distributions.Independent(torch.distributions.Normal(mu, (0.5 * logvar).exp()), 1)
    expected = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(shares), each
    ).log_prob(z)
    torch.testing.assert_close(model.mixture.log_prob(z), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ablated", [True, False])
def test_without_a_label_prior_z_is_standard_normal(field, layout, small, ablated):
    reals = Layout((field("x", discrete=False),))
    config = small(latent_mixture=False, mixture_prior=not ablated).model
    model = GTCoder(layout if ablated else reals, config)
    em.from_labels(model)
    z = torch.randn(10, 2)
    expected = torch.distributions.Normal(0, 1).log_prob(z).sum(1)
    torch.testing.assert_close(model.mixture.log_prob(z), expected)


def test_one_row_is_enough_to_start(layout, small):
    one = Encoded(np.zeros((1, 4), np.int16), np.zeros((1, 4), np.float32))
    model = GTCoder(layout, small(components=1).model)
    em.start(model, EncodedRows.of(one, seed=0, validation_fraction=0.0), seed=0)
    assert model.mixture.log_prob(torch.zeros(1, 2)).isfinite().all()


def test_every_fit_draws_its_own_noise(layout, encoded, small):
    found = []
    for fits in (1, 2, 1):
        torch.manual_seed(0)
        model = GTCoder(layout, small(components=3).model)
        rows = EncodedRows.of(encoded, seed=0, validation_fraction=0.0)
        em.start(model, rows, seed=0)
        em.refresh(model, rows, seed=0, fits=fits)
        found.append(model.mixture.means)
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])
