"""The rules that set everything from the table, and configurations as JSON."""

import dataclasses
import json
from itertools import pairwise

import pytest

from gtcoder.codec.layout import Layout
from gtcoder.config import (
    Config,
    ModelConfig,
    Preset,
    TrainingConfig,
    coding_for,
    epochs_for,
    learned_rows,
    validation_share,
)
from gtcoder.errors import ConfigError

ROWS = [2, 10, 100, 208, 351, 1_000, 4_177, 8_124, 32_561, 336_776, 10**6, 10**7, 10**9]


@pytest.fixture(params=[1, 15, 300])
def columns(request, field):
    return Layout(tuple(field(f"c{k}") for k in range(request.param)))


@pytest.mark.parametrize("preset", list(Preset))
@pytest.mark.parametrize("rows", [10, 100_000])
def test_json_round_trip(layout, preset, rows):
    config = Config.for_table(layout, rows, preset=preset, contrastive=False)
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("kind", [ModelConfig, TrainingConfig])
def test_unknown_and_missing_names_are_refused(layout, kind):
    config = Config.for_table(layout, 1_000)
    plain = (config.model if kind is ModelConfig else config.training).to_dict()
    with pytest.raises(ConfigError, match=f"{kind.__name__} does not fit this version.* colour"):
        kind.from_dict(plain | {"colour": 1})
    first = next(iter(plain))
    with pytest.raises(ConfigError, match=first):
        kind.from_dict({name: value for name, value in plain.items() if name != first})


@pytest.mark.parametrize("change", [{"colour": 1}, {"preset": "best"}, {"model": None}])
def test_a_foreign_configuration_is_refused(layout, change):
    plain = Config.for_table(layout, 1_000).to_dict() | change
    with pytest.raises(ConfigError, match=next(iter(change))):
        Config.from_dict({name: value for name, value in plain.items() if value is not None})


def test_rules_are_sane_for_every_size(columns):
    for preset in Preset:
        for rows in ROWS:
            config = Config.for_table(columns, rows, preset=preset)
            assert 1 <= config.training.batch_rows <= rows
            assert config.training.epochs >= 1
            assert 1 <= config.model.components <= max(1, rows // 5)
            assert 1 <= config.model.latent <= 64
            assert 0 < config.training.learning_rate < 0.1
            assert min(dataclasses.astuple(config.training)) >= 0


def test_rules_are_monotone(columns):
    configs = [Config.for_table(columns, rows) for rows in ROWS]
    for fewer, more in pairwise(configs):
        assert fewer.training.batch_rows <= more.training.batch_rows
        assert fewer.training.epochs >= more.training.epochs
        assert fewer.model.components <= more.model.components
        assert fewer.model.hidden <= more.model.hidden
    presented = [c.training.epochs * rows for c, rows in zip(configs, ROWS, strict=True)]
    assert presented == sorted(presented)


def test_the_learning_rate_grows_with_batches_beyond_512_rows(layout):
    rates = {
        config.training.batch_rows: config.training.learning_rate
        for config in (Config.for_table(layout, rows) for rows in ROWS)
    }
    assert rates[2048] / 2048 == rates[512] / 512 == pytest.approx(4e-3 / 512)
    assert rates[512] == max(rate for batch, rate in rates.items() if batch <= 512)


def test_mostly_numbers_get_a_second_layer(field):
    number, category = field("x", [1, 2], ordered=True, discrete=False), field("a", [1, 2])
    for fields, features in (((number, category), 64), ((number, category, category), 0)):
        assert Config.for_table(Layout(fields), 1_000).model.features == features
        paper = Config.for_table(Layout(fields), 1_000, preset=Preset.PAPER)
        assert paper.model.features == 0


def test_large_tables_get_a_wider_decoder(layout):
    hidden = [Config.for_table(layout, rows).model.hidden for rows in (200, 32_561, 250_000, 10**6)]
    assert hidden == [192, 192, 320, 448]
    assert Config.for_table(layout, 25 * 10**6).model.hidden == 512


def test_single_values_count_sooner_in_larger_tables(layout):
    shares = [Config.for_table(layout, rows).model.single_share for rows in ROWS]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1
    assert Config.for_table(layout, 32_561).model.single_share * 32_561 == pytest.approx(60, abs=1)


def test_wide_rows_of_large_tables_are_seen_less_often():
    assert epochs_for(227_000, fields=34) == 4
    assert epochs_for(227_000, fields=15) == epochs_for(227_000, fields=5) == 5
    assert epochs_for(2_000, fields=60) == epochs_for(2_000)


def test_only_a_part_of_a_giant_table_is_learned():
    assert learned_rows(10**6) == 10**6
    assert learned_rows(10**9) == 25_000_000
    assert learned_rows(10**9, 10**8) == 10**8
    assert learned_rows(10**3, 10**8) == 10**3


def test_fewer_rows_have_fewer_bins_and_hold_out_no_more_than_a_tenth():
    bins = [coding_for(rows, Preset.DEFAULT, 5).bins for rows in ROWS]
    assert bins == sorted(bins)
    assert bins[0] >= 2
    assert coding_for(1_000, Preset.PAPER, 5).coding == "modes"
    assert all(0 <= validation_share(rows) <= 0.1 for rows in (0, *ROWS))
    assert validation_share(10**8) * 10**8 <= 10_000


def test_the_papers_weights_keep_their_proportions(layout):
    """λ = (1, 0.5, 0.1), the KL a mean over the dimensions of z."""
    config = Config.for_table(layout, 10_000, preset=Preset.PAPER)
    c = config.training
    assert (c.kl_warm * config.model.latent, c.contrastive, c.reconstruction) == (1, 0.5, 0.1)
    assert config.model.tau == 0.95
    assert not config.model.latent_mixture
    assert not config.model.autoregressive


def test_what_the_user_sets_stands(layout):
    config = Config.for_table(layout, 10_000, epochs=3, fusion=False, contrastive=False)
    assert config.training.epochs == 3
    assert (config.model.fusion, config.model.contrastive) == (False, False)
    assert config.model.mixture_prior


def test_what_cannot_be_is_refused(layout):
    with pytest.raises(ConfigError, match="epochs must be at least 1, not 0"):
        Config.for_table(layout, 10_000, epochs=0)
    with pytest.raises(ConfigError, match=r"too few rows .*: 1 to train on .* 10 rows or more"):
        Config.for_table(layout, 1)
    with pytest.raises(ConfigError, match="there is no column to learn"):
        Config.for_table(Layout(()), 10_000)
    with pytest.raises(ConfigError, match="width 11 is not a multiple of heads 2"):
        ModelConfig(width=11)


@pytest.mark.parametrize("rows", [2, 5, 30, 100])
def test_a_tiny_table_is_passed_over_a_bounded_number_of_times(layout, rows):
    assert Config.for_table(layout, rows).training.epochs <= 400


@pytest.mark.parametrize("rows", ROWS[1:])
def test_validating_costs_a_share_of_the_training(layout, rows):
    training = Config.for_table(layout, rows).training
    scored = training.validations * validation_share(rows) * rows
    assert training.validations >= 10
    assert scored <= 0.21 * rows * training.epochs or training.validations == 10
    assert 0.1 <= training.patience / training.validations <= 0.4
