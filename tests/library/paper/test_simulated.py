"""The mixtures of Table 2: where they lie, and their density."""

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from gtcoder.errors import TableError
from gtcoder.paper.simulated import SIMULATED, Mixture


def points(table):
    return np.stack([table["x"].to_numpy(), table["y"].to_numpy()], 1)


@pytest.mark.parametrize("name", SIMULATED)
def test_density(name):
    mixture = Mixture.named(name, 3)
    x = points(mixture.sample(500, 1))
    centres = torch.tensor(mixture.centres)
    oracle = MixtureSameFamily(
        Categorical(torch.ones_like(centres[:, 0])),
        Independent(Normal(centres, torch.full_like(centres, 0.05**0.5)), 1),
    )
    expected = oracle.log_prob(torch.tensor(x)).numpy()
    np.testing.assert_allclose(mixture.log_density(x), expected, rtol=1e-9)


def test_places():
    grid, moved, ring = (Mixture.named(name, 0).centres for name in SIMULATED)
    assert {tuple(c) for c in grid} == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    assert 0.2 < np.abs(moved - grid).mean() < 0.3
    assert np.abs(moved - grid).max() <= 0.5
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), 1.0)
    assert len(ring) == 8


def test_rows_spread_as_the_mixture_says():
    mixture = Mixture.named("grid", 0)
    x = points(mixture.sample(20_000, 0))
    nearest = np.square(x[:, None] - mixture.centres).sum(-1).argmin(1)
    shares = np.bincount(nearest, minlength=25) / len(x)
    np.testing.assert_allclose(shares, 1 / 25, atol=0.006)
    np.testing.assert_allclose((x - mixture.centres[nearest]).var(0), 0.05, atol=0.002)
    entropy = np.log(25) + np.log(2 * np.pi * np.e * 0.05)
    assert mixture.log_density(x).mean() == pytest.approx(-entropy, abs=0.03)


def test_no_such_mixture():
    with pytest.raises(TableError, match="grid, gridr, ring"):
        Mixture.named("square", 0)
