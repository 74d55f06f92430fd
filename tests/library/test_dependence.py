"""What columns tell of one another: a planted chain comes back, and what is independent is 0."""

import numpy as np
import pandas as pd
import pytest

from gtcoder import Synthesizer
from gtcoder.errors import ConfigError, GTCoderError, TableError


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


def test_what_cannot_be_asked(fitted):
    with pytest.raises(ConfigError, match="rows must be at least 1"):
        fitted.dependence(chain(5, 0), rows=0)
    with pytest.raises(TableError, match="no rows"):
        fitted.dependence(chain(5, 0).head(0))
    paper = Synthesizer(preset="paper", epochs=1, verbose=False).fit(chain(100, 0))
    with pytest.raises(GTCoderError, match="not trained to complete rows"):
        paper.dependence(chain(10, 0))
