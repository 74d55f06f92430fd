"""Real rows beside synthetic ones: measured, drawn, and told in words."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib import pyplot

from gtcoder import Synthesizer
from gtcoder.errors import ConfigError, OutputError, SchemaError, TableError

ROWS = 300


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 90, ROWS)
    return pd.DataFrame(
        {
            "age": age,
            "sex": np.where(age > 50, "Female", "Male"),
            "income": rng.lognormal(10, 1, ROWS).round(2),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, ROWS), "D"),
            "zip": rng.integers(1000, 1009, ROWS),
            "<i>$": pd.Categorical(rng.choice(["a", "b", None], ROWS)),
            "id": np.arange(ROWS) * 7 + 3,
        }
    )


@pytest.fixture(scope="module")
def fitted(real) -> Synthesizer:
    kinds = {"columns": {"zip": {"kind": "categorical", "type": "string"}}}
    return Synthesizer(epochs=1, schema=kinds).fit(real)


@pytest.fixture(scope="module")
def evaluation(fitted, real):
    return fitted.evaluate(real, fitted.sample(200, seed=1), target="sex", quick=False)


def test_an_evaluation_prints_as_its_verdict(evaluation):
    said = str(evaluation).splitlines()
    assert said[0] == evaluation.summary == evaluation.report["summary"]["line"]
    assert [line.split(":")[0] for line in said[1:]] == ["Likeness", "Use", "Leaks looked for"]
    assert said[1:] == [f"{topic}: {text}" for topic, text in evaluation.verdict.items()]
    assert repr(evaluation) == str(evaluation)


def test_a_quick_evaluation_says_what_it_leaves_out(fitted, real):
    quick = fitted.evaluate(real, fitted.sample(200, seed=1), quick=True)
    assert quick.report["settings"]["quick_leaves_out"] in str(quick).splitlines()[1]
    assert quick.report["fidelity"]["alpha_precision"]["synthetic"] is None


def test_an_evaluations_figures_are_those_of_its_report(evaluation):
    found = evaluation.figures["detector_auc"]
    assert found == evaluation.report["fidelity"]["detector_auc"]
    assert 0 <= found["synthetic"] <= 1
    assert [c["name"] for c in evaluation.report["by_column"]] == [
        "age", "sex", "income", "day", "zip", "<i>$",
    ]  # fmt: skip
    assert evaluation.report["sources"]["synthetic"] == {
        "uri": "the synthetic rows", "rows": 200, "used": 200,
    }  # fmt: skip


def test_an_evaluation_is_saved_once(evaluation, tmp_path):
    evaluation.save(tmp_path / "report")
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == evaluation.report
    assert "the synthetic rows" in (tmp_path / "report" / "report.html").read_text()
    with pytest.raises(OutputError, match=r"report\.json exists; .* `overwrite=True`"):
        evaluation.save(tmp_path / "report")
    evaluation.save(tmp_path / "report", overwrite=True)


def test_in_a_notebook_all_is_escaped(evaluation, fitted):
    told = evaluation._repr_html_()
    assert told.count("<tr>") == 1 + len(evaluation.figures)
    for shown in (told, fitted._repr_html_(), fitted.schema._repr_html_()):
        assert "<i>" not in shown
    assert "&lt;i&gt;$" in fitted.schema._repr_html_()
    assert "7: 1 integer, 3 categorical, 1 real, 1 timestamp, 1 identifier" in fitted._repr_html_()
    assert "nothing learned yet" in Synthesizer()._repr_html_()


def test_a_bundle_that_is_loaded_compares_alike(fitted, evaluation, real, tmp_path):
    fitted.save(tmp_path / "b")
    again = Synthesizer.load(tmp_path / "b")
    axes = again.plot(pa.Table.from_pandas(real), fitted.sample(50)).axes
    assert [each.get_title() for each in axes][:2] == ["age", "sex"]
    pyplot.close(axes[0].figure)


def test_columns_side_by_side(fitted, real):
    figure = fitted.plot(real)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["age", "sex", "income", "day", "zip", r"<i>\$"]
    assert "real filled, synthetic outlined" in figure.get_suptitle()
    bars = [bar.get_height() for bar in figure.axes[1].patches]
    assert bars[:2] == pytest.approx(sorted((real["sex"].value_counts() / ROWS), reverse=True))
    assert sum(bars[2:]) == pytest.approx(1)
    pyplot.close(figure)


def test_columns_that_are_named(fitted, real):
    figure = fitted.plot(real, columns=["sex", "age"])
    assert [axes.get_title() for axes in figure.axes] == ["sex", "age"]
    pyplot.close(figure)


def test_what_cannot_be_compared(fitted, real):
    fake = fitted.sample(100, seed=1)
    with pytest.raises(SchemaError, match="no column 'agee'; did you mean 'age'"):
        fitted.plot(real, fake, columns=["agee"])
    with pytest.raises(SchemaError, match=r"column 'id': .*not compared"):
        fitted.plot(real, fake, columns=["id"])
    with pytest.raises(SchemaError, match="'age' of the synthetic rows does not convert to int64"):
        fitted.plot(real, fake.assign(age="old"))
    with pytest.raises(SchemaError, match="'age' of the real rows is missing from the synthetic"):
        fitted.evaluate(real, fake.drop(columns="age"))
    with pytest.raises(SchemaError, match=r"target 'ages': .* did you mean 'age'"):
        fitted.evaluate(real, fake, target="ages")
    with pytest.raises(TableError, match="the real rows: expected at least 50 rows to measure"):
        fitted.evaluate(real[:20], fake)
    with pytest.raises(ConfigError, match="rows must be a whole number, not '10k'"):
        fitted.evaluate(real, fake, rows="10k")
    with pytest.raises(TableError, match="expected a table, found where one is"):
        fitted.evaluate("real.csv", fake)
