"""Contributions are shares of attention; the heat map is a picture one can read."""

import builtins
import io
import json

import numpy as np
import pytest
from matplotlib import pyplot

from gtcoder import explain as module
from gtcoder.codec.layout import take
from gtcoder.errors import ConfigError, GTCoderError, TableError
from gtcoder.explain import SHOWN, Explanation, explain, explain_rows, heat_map
from gtcoder.model.gtcoder import GTCoder


@pytest.fixture(scope="module")
def explanation(trained, layout, encoded) -> Explanation:
    return explain(trained, layout, encoded)


def test_contributions_and_attention_are_shares(explanation, layout):
    assert list(explanation.contributions) == [field.name for field in layout.fields]
    assert sum(explanation.contributions.values()) == pytest.approx(1, abs=1e-5)
    matrix = np.array(explanation.matrix)
    assert matrix.shape == (4, 4)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-5)
    assert matrix.min() >= 0
    assert explanation.rows == 3_000


def test_contributions_are_the_mean_of_the_rows_own(trained, layout, encoded, explanation):
    shares = explain_rows(trained, encoded)
    assert shares.shape == (3_000, 4)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(shares.mean(0), list(explanation.contributions.values()), atol=1e-5)
    assert explain_rows(trained, take(encoded, slice(0, 0))).shape == (0, 4)


def test_chunks_do_not_change_it(trained, layout, encoded, explanation, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_WEIGHTS", 1_000)
    again = explain(trained, layout, encoded)
    np.testing.assert_allclose(again.matrix, explanation.matrix, atol=2e-6)


def test_json_round_trip(explanation):
    plain = json.loads(json.dumps(explanation.to_dict()))
    assert Explanation.from_dict(plain) == explanation
    with pytest.raises(
        ConfigError, match="a model trained without the fusion transformer has none"
    ):
        Explanation.from_dict({})
    with pytest.raises(ConfigError, match="square matrix"):
        Explanation.from_dict(plain | {"matrix": plain["matrix"][:-1]})


def test_what_cannot_be_explained(layout, encoded, small, trained):
    model = GTCoder(layout, small(fusion=False).model)
    with pytest.raises(GTCoderError, match="trained without the fusion transformer"):
        explain(model, layout, encoded)
    with pytest.raises(GTCoderError, match="trained without the fusion transformer"):
        explain_rows(model, encoded)
    with pytest.raises(TableError, match="no rows to explain"):
        explain(trained, layout, take(encoded, slice(0, 0)))


def made_up(columns: int) -> Explanation:
    rng = np.random.default_rng(0)
    names = [f"$column_{k}$ with a name that is long" if k % 3 else f"c{k}" for k in range(columns)]
    shares = rng.dirichlet(np.ones(columns)).tolist()
    return Explanation(
        rows=1,
        contributions=dict(zip(names, shares, strict=True)),
        matrix=tuple(map(tuple, rng.dirichlet(np.ones(columns), columns).tolist())),
    )


@pytest.mark.parametrize("columns", [1, 5, 100])
def test_heat_maps_grow_with_the_columns_up_to_a_size(columns):
    png = io.BytesIO()
    heat_map(made_up(columns), png)
    data = png.getvalue()
    assert data.startswith(b"\x89PNG")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    assert 600 < width < 4_500
    assert height >= 600 if columns < 9 else height > 20 * min(columns, 80)


def test_heat_maps_go_to_files(explanation, tmp_path):
    heat_map(explanation, tmp_path / "a.png")
    heat_map(explanation, f"file://{tmp_path}/b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_plot_is_two_axes_of_one_figure():
    explanation = made_up(4)
    heat, bars = explanation.plot()
    assert heat.figure is bars.figure
    assert heat.images[0].get_cmap().name == "Blues"
    widths = [bar.get_width() / 100 for bar in bars.patches]
    assert widths == pytest.approx(sorted(explanation.contributions.values(), reverse=True))
    assert "1/columns, 25.0" in bars.get_xlabel()
    pyplot.close(heat.figure)


def test_an_explanation_in_words_and_in_a_notebook():
    shares = {"<i>": 0.25, "b": 0.75} | {f"c{k}": 0.0 for k in range(SHOWN)}
    told = Explanation(rows=1, contributions=shares, matrix=())
    assert str(told).splitlines()[:2] == [" 75.0%  b", " 25.0%  <i>"]
    html = told._repr_html_()
    assert "&lt;i&gt;" in html
    assert "<i>" not in html
    assert "and 2 more columns" in html


def test_without_matplotlib_one_line_says_what_to_install(explanation, monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(GTCoderError, match=r'pip install "gtcoder\[evaluate\]"'):
        heat_map(explanation, io.BytesIO())
    with pytest.raises(GTCoderError, match=r'pip install "gtcoder\[evaluate\]"'):
        explanation.plot()
