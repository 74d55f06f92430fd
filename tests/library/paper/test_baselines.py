"""Every baseline on a table whose answer is known: three modes, and a known table of pairs."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from gtcoder.errors import ConfigError, GTCoderError
from gtcoder.paper.baselines.bi_discriminator import BiDiscriminatorGAN
from gtcoder.paper.baselines.ctgan import CTGAN
from gtcoder.paper.baselines.gmvae import GMVAE
from gtcoder.paper.baselines.identity import Identity
from gtcoder.paper.baselines.lvae import LVAE
from gtcoder.paper.baselines.networks.adversary import Critic
from gtcoder.paper.baselines.tvae import TVAE
from gtcoder.paper.baselines.wgan import WGAN

PAIRS = np.array([[0.32, 0.03, 0.05], [0.02, 0.25, 0.03], [0.01, 0.04, 0.25]])
"""Shares of (shape, colour)."""
MODES = np.array([-6.0, 0.0, 6.0])
"""Centres of `size`, one a shape."""

SMALL = {"learning_rate": 2e-3, "width": 64, "latent": 16, "batch_rows": 200}
LAYERED = {"learning_rate": 3e-3, "batch_rows": 100, "epochs": 14}
METHODS = {
    "ctgan": lambda **options: CTGAN(**{**SMALL, "epochs": 24, **options}),
    "bi-discriminator": lambda **options: BiDiscriminatorGAN(**{**SMALL, "epochs": 15, **options}),
    "wgan": lambda **options: WGAN(**{**SMALL, "epochs": 14, **options}),
    "tvae": lambda **options: TVAE(**{**SMALL, "epochs": 40, **options}),
    "lvae": lambda **options: LVAE(**{**LAYERED, **options}),
    "gmvae": lambda **options: GMVAE(**{**LAYERED, **options}),
}
"""Small and quick enough for a test."""


def known(rows, seed=0):
    rng = np.random.default_rng(seed)
    cell = rng.choice(9, rows, p=PAIRS.ravel())
    shape, colour = np.divmod(cell, 3)
    return pd.DataFrame(
        {
            "shape": np.array(["disc", "ring", "star"])[shape],
            "colour": np.array(["red", "green", "blue"])[colour],
            "size": MODES[shape] + rng.normal(0, 0.5, rows),
        }
    )


def cells(table):
    """Shares of shape × colour × mode of size, flat."""
    shape = pd.Categorical(table["shape"], ["disc", "ring", "star"]).codes
    colour = pd.Categorical(table["colour"], ["red", "green", "blue"]).codes
    mode = np.abs(table["size"].to_numpy()[:, None] - MODES).argmin(1)
    assert (shape >= 0).all()
    assert (colour >= 0).all()
    flat = (shape.astype(int) * 3 + colour) * 3 + mode
    return np.bincount(flat, minlength=27).reshape(3, 3, 3) / len(table)


def trend_error(real, fake):
    """Mean total variation distance over the three pairs of columns."""
    return np.mean([np.abs(real.sum(k) - fake.sum(k)).sum() / 2 for k in range(3)])


@pytest.mark.parametrize("name", METHODS)
def test_learns_pairs_and_modes(name):
    table = known(2_000)
    fake = METHODS[name]().fit(table).sample(2_000, seed=1)
    rng = np.random.default_rng(0)
    alone = pd.DataFrame({c: rng.permutation(table[c]) for c in table})
    truth = cells(known(100_000, seed=5))
    assert trend_error(truth, cells(fake)) < trend_error(truth, cells(alone)) / 3
    near = np.abs(fake["size"].to_numpy()[:, None] - MODES) < 1.5
    assert (near.mean(0) > 0.15).all()
    assert near.any(1).mean() > 0.9


@pytest.mark.parametrize("name", METHODS)
def test_a_seed_gives_the_same_rows(name):
    table = known(200)
    before = torch.get_rng_state()
    one, two = (METHODS[name](epochs=1).fit(table) for _ in range(2))
    rows = one.sample(50, seed=3)
    pd.testing.assert_frame_equal(rows, two.sample(50, seed=3))
    pd.testing.assert_frame_equal(rows.head(20), one.sample(20, seed=3))
    assert not rows.equals(one.sample(50, seed=4))
    assert torch.equal(before, torch.get_rng_state())


def test_tables_of_one_kind():
    """Only numbers, only categories, fewer rows than a batch, and missing values."""
    table = known(60)
    table.loc[::7, "size"] = np.nan
    table.loc[::9, "colour"] = None
    for name in METHODS:
        for columns in (["size"], ["shape", "colour"], ["shape", "colour", "size"]):
            fake = METHODS[name](epochs=1).fit(table[columns]).sample(40)
            assert list(fake.columns) == columns
            assert len(fake) == 40


def test_every_step_of_wgans_critic_sees_other_real_rows(monkeypatch):
    seen = []
    loss = Critic.loss

    def watched(critic, real, fake):
        seen.append(real)
        return loss(critic, real, fake)

    monkeypatch.setattr(Critic, "loss", watched)
    WGAN(**{**SMALL, "epochs": 1}, critic_steps=3).fit(known(400))
    assert len(seen) == 2 * 3  # 400 rows are two batches
    assert all(len(real) == 200 for real in seen)
    assert not any(torch.equal(a, b) for a, b in combinations(seen, 2))


def test_identity():
    table = known(5)
    again = Identity().fit(table).sample(12)
    pd.testing.assert_frame_equal(again.head(5), table)
    assert again["size"].tolist() == (table["size"].tolist() * 3)[:12]


def test_what_cannot_be_done_is_said():
    with pytest.raises(GTCoderError, match="call fit"):
        TVAE().sample(3)
    with pytest.raises(GTCoderError, match="call fit"):
        Identity().sample(3)
    with pytest.raises(ConfigError, match="epochs must be at least 1, not 0"):
        CTGAN(epochs=0)
    with pytest.raises(ConfigError, match="expected at least 2 rows and a column"):
        TVAE().fit(pd.DataFrame({"same": [1, 1, 1]}))
    with pytest.raises(ConfigError, match="must not be negative"):
        TVAE(epochs=1).fit(known(60)).sample(-1)
