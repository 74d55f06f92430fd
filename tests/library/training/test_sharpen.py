"""Sharpening: distributions get sharper, marginals stay, drawn rows too."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from gtcoder.codec.layout import Encoded, Layout, Scalar
from gtcoder.model.fusion import reparameterise
from gtcoder.model.gtcoder import GTCoder
from gtcoder.seeds import Purpose, torch_generator
from gtcoder.training import em
from gtcoder.training import sharpen as module
from gtcoder.training.rows.encoded import EncodedRows
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
    mu, logvar, codes, cells = em.posteriors(model, shard)
    z = reparameterise(mu, logvar, em.noise(mu, torch_generator(1, Purpose.SHARPEN)))
    with torch.no_grad():
        states = model.decoder.states(model.decoder.expand(z), model.decoder.outcomes(codes, cells))
        return [each.softmax(1) for each in model.decoder.logits(states)]


def test_marginals_stay_and_doubt_falls(trained, sharpened, rows):
    pairs = zip(distributions(trained, rows), distributions(sharpened, rows), strict=True)
    for before, after in pairs:
        torch.testing.assert_close(after.mean(0), before.mean(0), atol=0.005, rtol=0.05)
        entropy = [torch.special.entr(each).sum(1).mean() for each in (before, after)]
        assert entropy[1] < entropy[0]


def test_single_values_are_sharpened_too(field, small):
    shares, rng = [0.1, 0.2, 0.3, 0.4], np.random.default_rng(0)
    single = {"scalar": Scalar.UNIFORM, "spread": (False,) * 4}
    number = field("x", shares, ordered=True, discrete=False, **single)
    layout = Layout((number, field("y", shares)))
    codes = rng.choice(4, (2_000, 2), p=shares).astype(np.int16)
    rows = EncodedRows.of(
        Encoded(codes, np.zeros(codes.shape, np.float32)), seed=0, validation_fraction=0.0
    )
    torch.manual_seed(0)
    before = GTCoder(layout, small(single_share=0.1, temperature=0.5).model).eval()
    torch.nn.init.normal_(before.decoder.heads.own, std=3)
    after = copy.deepcopy(before)
    sharpen(after, rows, seed=0)
    for was, now in zip(distributions(before, rows), distributions(after, rows), strict=True):
        torch.testing.assert_close(now.mean(0), was.mean(0), atol=0.005, rtol=0.05)


def test_what_is_given_is_seen_as_before(trained, sharpened, rows):
    shard = rows.shard(rank=0, world=1, most=300, seed=0)
    _, _, codes, cells = em.posteriors(trained, shard)
    given = torch.arange(codes.shape[1]).expand_as(codes) % 2 == 0
    states = []
    for model in (trained, sharpened):
        decoder = model.decoder
        with torch.no_grad():
            context = model.context_of(codes, torch.zeros(codes.shape), given)
            outcomes = decoder.outcomes(codes, cells)
            states.append(decoder.states(context, outcomes, given.t()[decoder.field].float()))
    torch.testing.assert_close(states[1], states[0])


def test_a_temperature_of_1_changes_nothing(trained, rows):
    model = copy.deepcopy(trained)
    sharpen(model, rows, seed=0)
    for name, parameter in trained.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], parameter, rtol=0, atol=0)


@pytest.mark.parametrize("chunk", [1, 1_000, 50_000])
def test_decoded_in_small_pieces_it_is_the_same(trained, sharpened, rows, monkeypatch, chunk):
    monkeypatch.setattr(module, "CHUNK_VALUES", chunk)
    model = copy.deepcopy(trained)
    model.config = dataclasses.replace(model.config, temperature=0.5)
    sharpen(model, rows, seed=0)
    torch.testing.assert_close(model.decoder.bias, sharpened.decoder.bias, atol=1e-4, rtol=1e-4)


def test_a_wide_table_is_looked_at_in_fewer_rows(trained, monkeypatch):
    model = copy.deepcopy(trained)
    assert module.rows_for(model) == 0
    model.config = dataclasses.replace(model.config, temperature=0.5)
    assert module.rows_for(model) == module.ROWS
    monkeypatch.setattr(module, "LOGITS", 46 * 500)
    assert module.rows_for(model) == 500
