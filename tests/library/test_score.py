"""Scores are what the model says of a row, and of it alone; they find what was put in wrong."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from gtcoder import Synthesizer
from gtcoder import score as module
from gtcoder.codec.layout import Encoded, Layout, take
from gtcoder.config import Preset
from gtcoder.errors import ConfigError, GTCoderError, SchemaError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.score import log_likelihood, scores, surprises

SIDE = 161
"""Points of a grid along each of the two latent dimensions."""
REACH = 7.0
"""Its ends, in standard deviations of z."""


@pytest.fixture(scope="module")
def layout_of_all(field) -> Layout:
    return Layout((field("a", [1, 2, 3]), field("b", [3, 1]), field("c", [1, 1, 1, 2])))


@pytest.fixture(scope="module")
def model_of_all(layout_of_all, small) -> GTCoder:
    """A model that says anything of three categories."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = GTCoder(layout_of_all, small(hidden=32, features=32).model).eval()
        decoder = model.decoder
        with torch.no_grad():
            for table in (decoder.heads, decoder.seen, decoder.ahead):
                table.free.normal_(std=0.5)
            decoder.expand[2].weight.normal_(std=0.5)
            decoder.tied.weight.normal_(std=0.2)
            model.posterior.logvar.bias.fill_(0.3)  # so wide that no draw outweighs all others
    return model


@pytest.fixture(scope="module")
def all_rows() -> Encoded:
    """Every row there can be."""
    codes = np.stack(np.meshgrid(*map(np.arange, (3, 2, 4)), indexing="ij"), -1).reshape(-1, 3)
    return Encoded(codes.astype(np.int16), np.zeros(codes.shape, np.float32))


@pytest.fixture(scope="module")
def exact(model_of_all, all_rows) -> np.ndarray:
    """log p(row), by a sum over a grid of z."""
    axis = torch.linspace(-REACH, REACH, SIDE)
    z = torch.cartesian_prod(axis, axis)
    codes = torch.from_numpy(all_rows.codes).long()
    with torch.no_grad():
        prior = model_of_all.mixture.log_prob(z) + 2 * np.log(2 * REACH / (SIDE - 1))
        found = [(prior - decoded(model_of_all, z, row)).logsumexp(0).item() for row in codes]
    return np.array(found)


def decoded(model: GTCoder, z: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
    codes = row.expand(len(z), -1)
    return model.decoder.reconstruction(z, codes, torch.zeros(codes.shape))


@pytest.fixture(scope="module")
def mistaken(encoded) -> tuple[Encoded, np.ndarray, np.ndarray]:
    """Rows of which one in 20 has another colour or flag than its own; which, and what field."""
    rows = take(encoded, slice(0, 2_000))
    rng, codes = np.random.default_rng(1), rows.codes.copy()
    wrong = rng.choice(len(rows), len(rows) // 20, replace=False)
    at = rng.choice([0, 2], len(wrong))
    codes[wrong, at] = np.where(at == 0, (codes[wrong, 0] + 1) % 2, 1 - codes[wrong, 2])
    return Encoded(codes, rows.scalars), wrong, at


def test_many_draws_give_the_likelihood(model_of_all, all_rows, exact):
    assert np.exp(exact).sum() == pytest.approx(1, abs=1e-3)
    found, error = log_likelihood(model_of_all, all_rows, draws=4_000)
    assert (found.dtype, error.dtype) == (np.float64, np.float64)
    assert error.max() < 0.1
    assert (np.abs(found - exact) < 5 * error + 1e-3).all()


def test_more_draws_come_nearer_from_below(model_of_all, all_rows, exact):
    """On the average over seeds, as the draws of one seed are the same for all rows."""
    means, errors = [], []
    for draws in (1, 4, 16, 64):
        found = [log_likelihood(model_of_all, all_rows, draws=draws, seed=s) for s in range(40)]
        means.append(np.mean([likely for likely, _ in found]))
        errors.append(np.mean([error for _, error in found]))
    assert means == sorted(means)
    assert means[-1] < exact.mean() + 0.02
    assert np.isnan(errors[0])
    assert errors[1:] == sorted(errors[1:], reverse=True)


def test_the_standard_error_is_that_of_the_draws(model_of_all, all_rows):
    found = [log_likelihood(model_of_all, all_rows, draws=200, seed=s) for s in range(30)]
    spread = np.std([likely for likely, _ in found], axis=0)
    told = np.mean([error for _, error in found], axis=0)
    assert 0.7 < np.median(spread / told) < 1.4


def test_surprises_are_those_of_a_field_among_its_alternatives(model_of_all, all_rows):
    surprise = surprises(model_of_all, all_rows)
    assert (surprise.shape, surprise.dtype) == ((24, 3), np.float32)
    cube = np.exp(-surprise).reshape(3, 2, 4, 3)
    for k in range(3):
        np.testing.assert_allclose(cube[..., k].sum(k), 1, atol=1e-5)


def test_a_row_is_scored_alike_whatever_is_beside_it(trained, encoded, monkeypatch):
    rows = take(encoded, slice(0, 300))
    likely, error = log_likelihood(trained, rows)
    surprise = surprises(trained, rows)
    monkeypatch.setattr(module, "CHUNK_VALUES", 7 * 64 * len(trained.decoder.steps))
    for part in (slice(0, 1), slice(100, 151), slice(299, None, -3)):
        alone, its_error = log_likelihood(trained, take(rows, part))
        np.testing.assert_allclose(alone, likely[part], atol=1e-4)
        np.testing.assert_allclose(its_error, error[part], atol=1e-4)
        np.testing.assert_allclose(surprises(trained, take(rows, part)), surprise[part], atol=1e-4)


def test_rows_that_contradict_themselves_are_found(trained, layout, mistaken):
    rows, wrong, at = mistaken
    found = scores(trained, layout, rows)
    is_wrong = np.isin(np.arange(len(rows)), wrong)
    assert roc_auc_score(is_wrong, -found["log_likelihood"]) > 0.8
    assert roc_auc_score(is_wrong, found["excess"]) > 0.8
    names = np.array([field.name for field in layout.fields])
    assert (found["most_surprising"].to_numpy()[wrong] == names[at]).mean() > 0.5


def test_excess_is_above_what_the_value_surprises_in_general(trained, layout, encoded):
    some_rows = take(encoded, slice(50))
    found = scores(trained, layout, some_rows)
    shares = [
        np.array(f.frequencies)[c] for f, c in zip(layout.fields, some_rows.codes.T, strict=True)
    ]
    above = surprises(trained, some_rows) + np.log(shares).T
    np.testing.assert_allclose(found["excess"], above.max(axis=1), atol=1e-5)
    names = [layout.fields[k].name for k in above.argmax(axis=1)]
    assert found["most_surprising"].tolist() == names


def test_a_model_that_completes_no_rows_still_tells_how_likely_they_are(layout, encoded, small):
    model, rows = GTCoder(layout, small(conditional=False).model).eval(), take(encoded, slice(0, 9))
    found = scores(model, layout, rows)
    assert np.isfinite(found[["log_likelihood", "standard_error"]]).all(axis=None)
    assert found[["most_surprising", "excess"]].isna().all(axis=None)
    with pytest.raises(GTCoderError, match="cannot tell which columns surprise"):
        scores(model, layout, rows, columns=True)
    with pytest.raises(GTCoderError, match="the default preset"):
        surprises(model, rows)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """The code and the name of a town always agree; the id is not learned."""
    rng = np.random.default_rng(0)
    town = rng.integers(0, 4, 300)
    return pd.DataFrame(
        {
            "code": town + 10,
            "town": np.array(["Bergen", "Oslo", "Tromsø", "Vadsø"])[town],
            "boats": np.where(rng.random(300) < 0.9, town % 2 == 0, rng.random(300) < 0.5),
            "height": rng.normal(size=300).round(1),
            "id": [f"no. {i}" for i in range(300)],
        },
        index=pd.Index(rng.permutation(300), name="row"),
    )


@pytest.fixture(scope="module")
def synthesizer(frame) -> Synthesizer:
    return Synthesizer(epochs=2, rules=False).fit(frame)


def test_a_table_is_scored_row_by_row(synthesizer, frame):
    found = synthesizer.score(frame)
    pd.testing.assert_index_equal(found.index, frame.index)
    four = ["log_likelihood", "standard_error", "most_surprising", "excess"]
    assert list(found) == four
    learned = [field.name for field in synthesizer.bundle.codec.layout.fields]
    assert set(found["most_surprising"]) <= set(learned)
    assert not found.isna().any(axis=None)
    every = synthesizer.score(frame, draws=16, columns=True)
    assert list(every) == four + [f"surprise_{name}" for name in learned]
    pd.testing.assert_frame_equal(every[four], found)
    some = synthesizer.score(frame.iloc[5:8].assign(more=1)[[*frame.columns[::-1], "more"]])
    np.testing.assert_allclose(some["log_likelihood"], found["log_likelihood"][5:8], atol=1e-4)
    np.testing.assert_allclose(some["excess"], found["excess"][5:8], atol=1e-4)
    records = synthesizer.score(frame.iloc[5:8].to_dict("records"))
    assert list(records.index) == [0, 1, 2]
    nothing = synthesizer.score(frame[:0])
    assert (list(nothing), len(nothing)) == (four, 0)


def test_a_row_that_breaks_a_rule_is_told(frame):
    synthesizer = Synthesizer(epochs=2).fit(frame)
    assert "together: code, town" in map(str, synthesizer.bundle.codec.rules.all)
    rows = frame.iloc[:20].copy()
    whole = synthesizer.score(rows)
    rows.iloc[3, 0] = 10 + (rows.iloc[3, 0] - 9) % 4
    found = synthesizer.score(rows)
    assert found["most_surprising"].iloc[3] == "code, town"
    assert found["excess"].iloc[3] == pytest.approx(np.log(302))
    assert found["log_likelihood"].idxmin() == found.index[3]
    others = np.arange(20) != 3
    pd.testing.assert_frame_equal(found[others], whole[others])


def test_what_was_learned_breaks_no_rule():
    """A city of one row is not written down; that it lies in a state is no contradiction."""
    cities = np.r_[np.repeat(np.arange(20), 100), 100 + np.arange(12)]
    table = pd.DataFrame(
        {"city": [f"c{c}" for c in cities], "state": [f"s{c % 5}" for c in cities]}
    )
    synthesizer = Synthesizer(epochs=1).fit(table)
    assert "together" in str(synthesizer.bundle.codec.rules.all[0])
    assert (synthesizer.score(table)["excess"] < np.log(len(table) + 2) - 0.01).all()


def test_a_table_of_other_columns_is_refused_in_one_line(synthesizer, frame):
    with pytest.raises(SchemaError, match="column 'boats': expected bool, found no such") as raised:
        synthesizer.score(frame.drop(columns="boats"))
    assert "\n" not in str(raised.value)
    with pytest.raises(SchemaError, match="column 'height': expected double, found"):
        synthesizer.score(frame.assign(height="tall"))
    with pytest.raises(ConfigError, match="draws must be at least 1, not 0"):
        synthesizer.score(frame, draws=0)
    with pytest.raises(GTCoderError, match="nothing is learned yet"):
        Synthesizer().score(frame)


def test_the_papers_preset_tells_no_surprises(frame):
    synthesizer = Synthesizer(preset=Preset.PAPER, epochs=1).fit(frame)
    found = synthesizer.score(frame[:10], draws=4)
    assert found["log_likelihood"].notna().all()
    assert found["most_surprising"].isna().all()
