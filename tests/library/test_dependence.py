"""What columns tell of one another: a planted chain comes back, and what is independent is 0."""

from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib import pyplot

from gtcoder import Synthesizer
from gtcoder.dependence import LEAST_ROWS, Dependence, learned_dependence
from gtcoder.errors import ConfigError, GTCoderError, TableError
from gtcoder.explain import Explanation
from gtcoder.training.rows.encoded import EncodedRows


def chain(rows: int, seed: int) -> pd.DataFrame:
    """a → b → c, and d beside them."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 4, rows)
    b = np.where(rng.random(rows) < 0.8, a, rng.integers(0, 4, rows))
    c = np.where(rng.random(rows) < 0.8, b, rng.integers(0, 4, rows))
    named = {"c": c, "d": rng.integers(0, 4, rows), "a": a, "b": b}
    return pd.DataFrame({name: [f"{name}{v}" for v in values] for name, values in named.items()})


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    return Synthesizer(seed=0, epochs=40, verbose=False).fit(chain(4_000, 0))


def test_a_chain_comes_back_and_what_is_independent_is_nothing(fitted):
    found = fitted.dependence(chain(2_000, 1), rows=1_500)
    assert list(found.index) == list(found.columns) == ["c", "d", "a", "b"]
    assert found.equals(found.T)
    assert found.loc["a", "b"] > 0.2
    assert found.loc["b", "c"] > 0.2
    assert found.loc["a", "c"] < 0.05
    assert found["d"].max() < 0.03
    assert (np.diag(found) == 0).all()


def test_it_is_what_information_theory_says(fitted):
    """I(a; b | c) of the table itself."""
    table = chain(60_000, 2)
    shares = pd.crosstab([table["a"], table["b"]], table["c"]).to_numpy().reshape(4, 4, 4) / 60_000
    abc, ac, bc, c = (
        shares,
        shares.sum(1, keepdims=True),
        shares.sum(0, keepdims=True),
        shares.sum((0, 1), keepdims=True),
    )
    exact = np.nansum(abc * np.log(np.where(abc > 0, abc * c / (ac * bc), 1)))
    found = fitted.dependence(chain(4_000, 3), rows=4_000).loc["a", "b"]
    assert found == pytest.approx(exact, rel=0.1)


def test_a_bundle_keeps_it_of_rows_held_out(fitted, tmp_path):
    fitted.save(tmp_path / "b")
    kept = Synthesizer.load(tmp_path / "b").dependence()
    assert list(kept.columns) == ["c", "d", "a", "b"]
    assert kept.loc["a", "b"] > 0.2
    assert kept.loc["a", "c"] < 0.05
    told = Explanation.from_dict(fitted.bundle.explanation).dependence
    assert {told.pairs[0][:2], told.pairs[1][:2]} == {("a", "b"), ("c", "b")}
    assert str(told).splitlines()[0].endswith(" – b")
    assert LEAST_ROWS <= told.rows < 4_000


def test_short_of_time_fewer_columns_are_looked_at(fitted):
    frame = chain(1_000, 4)
    encoded = fitted.bundle.codec.encode(pa.Table.from_pandas(frame))
    rows = EncodedRows.of(encoded, seed=0, validation_fraction=0.5)
    model, layout = fitted.bundle.model(), fitted.bundle.codec.layout
    look = partial(learned_dependence, model, layout, rows, ["b", "a", "d", "c"], seed=0)
    assert look(most=10_000).columns == ("c", "d", "a", "b")
    assert look(most=6 * LEAST_ROWS).columns == ("d", "a", "b")
    assert look(most=2 * LEAST_ROWS) is None


def test_a_picture_shows_every_pair(fitted, tmp_path):
    frame = fitted.dependence()
    axes = Dependence(rows=1, columns=tuple(frame), nats=tuple(map(tuple, frame.to_numpy()))).plot()
    assert axes.images[0].get_array().shape == (4, 4)
    assert [each.get_text() for each in axes.get_xticklabels()] == ["c", "d", "a", "b"]
    pyplot.close(axes.figure)
    with pytest.raises(ConfigError, match="square matrix of nats"):
        Dependence.from_dict({"rows": 3, "columns": ["a", "b"], "nats": [[0.0]]})


def test_what_cannot_be_asked(fitted):
    with pytest.raises(ConfigError, match="rows must be at least 1"):
        fitted.dependence(chain(5, 0), rows=0)
    with pytest.raises(TableError, match="no rows"):
        fitted.dependence(chain(5, 0).head(0))
    paper = Synthesizer(preset="paper", epochs=1, verbose=False).fit(chain(100, 0))
    for table in (chain(10, 0), None):
        with pytest.raises(GTCoderError, match="not trained to complete rows"):
            paper.dependence(table)
    few = Synthesizer(epochs=1, verbose=False).fit(chain(100, 0))
    with pytest.raises(GTCoderError, match="keeps no dependence; give a table"):
        few.dependence()
