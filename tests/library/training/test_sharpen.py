"""Sharpening: distributions get sharper, marginals stay, drawn rows too."""

import copy
import dataclasses

import pytest
import torch

from gtcoder.training import em
from gtcoder.training.rows import EncodedRows
from gtcoder.training.sharpen import sharpen


@pytest.fixture
def rows(encoded):
    return EncodedRows.of(encoded, seed=0, validation_fraction=0.0)


@pytest.fixture
def sharpened(trained, rows):
    model = copy.deepcopy(trained)
    model.config = dataclasses.replace(model.config, temperature=0.5)
    sharpen(model, rows, seed=0)
    return model


def distributions(model, rows):
    """Of every step, for the training rows."""
    shard = rows.shard(rank=0, world=1, most=3_000, seed=0)
    mu, _, codes = em.posteriors(model, shard)
    with torch.no_grad():
        return [each.softmax(1) for each in model.decoder.logits(model.decoder.states(mu, codes))]


def test_marginals_stay_and_doubt_falls(trained, sharpened, rows):
    pairs = zip(distributions(trained, rows), distributions(sharpened, rows), strict=True)
    for before, after in pairs:
        torch.testing.assert_close(after.mean(0), before.mean(0), atol=0.005, rtol=0.05)
        entropy = [torch.special.entr(each).sum(1).mean() for each in (before, after)]
        assert entropy[1] < entropy[0]


def test_a_temperature_of_1_changes_nothing(trained, rows):
    model = copy.deepcopy(trained)
    sharpen(model, rows, seed=0)
    for name, parameter in trained.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], parameter, rtol=0, atol=0)
