"""The whole way from a DataFrame to a DataFrame, and the bundle between them."""

import datetime as dt
import json
import pickle
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import safetensors.torch
from sklearn.base import clone

import gtcoder
from gtcoder import Synthesizer
from gtcoder.errors import (
    BundleError,
    ConditionError,
    ConfigError,
    GTCoderError,
    OutputError,
    SchemaError,
    TableError,
)
from gtcoder.schema.schema import Schema

ROWS = 400


def with_holes(values, rng: np.random.Generator) -> pd.Series:
    holed = pd.Series(values).copy()
    holed[rng.random(ROWS) < 0.1] = None
    return holed


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Every dtype, with and without missing values; `sex` follows `age`."""
    rng = np.random.default_rng(0)
    age = rng.integers(18, 90, ROWS)
    hours = pd.to_timedelta(rng.integers(0, 10_000, ROWS), "h")
    words = ["lorem", "ipsum", "dolor", "sit", "amet"]
    return pd.DataFrame(
        {
            "age": age,
            "sex": np.where((age > 50) ^ (rng.random(ROWS) < 0.1), "Female", "Male"),
            "bool": rng.random(ROWS) < 0.3,
            "boolean": with_holes(pd.array(rng.random(ROWS) < 0.3, "boolean"), rng),
            "int8": rng.integers(-5, 5, ROWS).astype("int8"),
            "int64": rng.integers(0, 10**12, ROWS),
            "Int64": with_holes(pd.array(rng.integers(0, 90, ROWS), "Int64"), rng),
            "float32": rng.normal(size=ROWS).astype("float32"),
            "float64": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(size=ROWS)),
            "Float64": with_holes(pd.array(rng.normal(size=ROWS).round(1), "Float64"), rng),
            "category": pd.Categorical(rng.choice(["a", "b", "ü"], ROWS)),
            "ordered": pd.Categorical.from_codes(
                rng.choice(4, ROWS, p=[0.1, 0.1, 0.5, 0.3]) - 1,
                ["low", "mid", "high"],
                ordered=True,
            ),
            "string": with_holes(pd.array(rng.choice(["x", "y"], ROWS), "string"), rng),
            "arrow": pd.array(rng.integers(0, 5, ROWS), "int16[pyarrow]"),
            "day": pd.Timestamp("2020-01-01") + hours.floor("D"),
            "ns": with_holes(pd.Timestamp("2020-01-01") + hours, rng).astype("datetime64[ns]"),
            "tz": pd.Timestamp("2020-01-01", tz="Europe/Oslo") + hours,
            "delta": hours,
            "date": [
                dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 900, ROWS)
            ],
            "time": [dt.time(int(h), 30) for h in rng.integers(0, 24, ROWS)],
            "decimal": [Decimal(int(v)) / 100 for v in rng.integers(0, 10**5, ROWS)],
            "constant": "same",
            "empty": pd.Series([None] * ROWS, dtype=object),
            "id": np.arange(ROWS) + 1_000,
            "text": [" ".join(rng.choice(words, 30)) + f" secret-{i}" for i in range(ROWS)],
        },
        index=pd.Index(rng.permutation(ROWS), name="index"),
    )


@pytest.fixture(scope="module")
def fitted(table) -> Synthesizer:
    return Synthesizer(epochs=3, seed=5).fit(table)


@pytest.fixture(scope="module")
def drawn(fitted) -> pd.DataFrame:
    return fitted.sample(300, seed=7)


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    fitted.save(path)
    return path


def test_columns_and_dtypes_come_back(table, drawn):
    pd.testing.assert_series_equal(drawn.dtypes, table.dtypes)
    assert len(drawn) == 300
    assert list(drawn.index) == list(range(300))


def test_only_columns_with_missing_values_have_them(table, drawn):
    missing = table.columns[table.isna().any()]
    assert set(drawn.columns[drawn.isna().any()]) == {*missing, "text"}
    for name in ("boolean", "Int64", "float64", "ns", "string"):
        assert abs(drawn[name].isna().mean() - table[name].isna().mean()) < 0.1


def test_values_are_of_the_tables_kind(table, drawn):
    assert set(drawn["category"]) <= {"a", "b", "ü"}
    assert set(drawn["constant"]) == {"same"}
    assert drawn["age"].between(18, 89).all()
    assert (drawn["day"] == drawn["day"].dt.normalize()).all()
    assert all(time.minute == 30 for time in drawn["time"])
    assert all(value.as_tuple().exponent == -2 for value in drawn["decimal"])
    assert drawn["id"].is_unique


def test_the_same_seed_gives_the_same_rows_however_many(fitted, drawn):
    pd.testing.assert_frame_equal(fitted.sample(20, seed=7), drawn[:20])
    assert not fitted.sample(300, seed=8).equals(drawn)


def test_the_same_fit_gives_the_same_rows(table, fitted, drawn):
    again = Synthesizer(epochs=3, seed=5).fit(table)
    pd.testing.assert_frame_equal(again.sample(300, seed=7), drawn)
    other = Synthesizer(epochs=3, seed=6).fit(table)
    assert not other.sample(300, seed=7).equals(drawn)


@pytest.mark.parametrize(
    "where",
    [
        {"sex": "Female", "age": (65, None), "day": ("2020-03-01", dt.date(2020, 6, 30))},
        ["sex=Female", "age>=65", "day=2020-03-01..2020-06-30"],
    ],
)
def test_conditions_hold_in_every_row(fitted, where):
    rows = fitted.sample(200, where=where, seed=1)
    assert set(rows["sex"]) == {"Female"}
    assert rows["age"].min() >= 65
    assert rows["day"].between("2020-03-01", "2020-06-30").all()


def test_conditions_on_missing_and_any_of(fitted):
    rows = fitted.sample(100, where={"Int64": None, "category": ["a", "ü"]}, seed=1)
    assert rows["Int64"].isna().all()
    assert set(rows["category"]) == {"a", "ü"}


def test_saving_and_loading_changes_nothing(saved, drawn, fitted):
    loaded = Synthesizer.load(saved)
    pd.testing.assert_frame_equal(loaded.sample(300, seed=7), drawn)
    assert loaded.bundle.checksum == fitted.bundle.checksum
    with pytest.raises(OutputError, match=r"exists.*overwrite"):
        loaded.save(saved)
    loaded.save(saved, overwrite=True)
    with pytest.raises(BundleError, match="no bundle"):
        Synthesizer.load(saved / "nothing")


def numbers(plain) -> set[float]:
    """All numbers in JSON."""
    if isinstance(plain, dict):
        return set().union(*map(numbers, plain.values()))
    if isinstance(plain, list):
        return set().union(*map(numbers, plain))
    return {float(plain)} if isinstance(plain, int | float) else set()


def test_no_training_row_is_in_the_bundle(saved, table):
    (revision,) = (path for path in saved.iterdir() if path.is_dir())
    told = b"".join(path.read_bytes() for path in sorted(revision.iterdir()))
    for i in range(ROWS):
        assert f"secret-{i}".encode() not in told
    codec = numbers(json.loads((revision / "codec.json").read_text()))
    for name in ("float64", "float32"):
        lone = {float(value) for value in table[name].dropna()}
        assert not lone & codec, name
    assert not {float(table["int64"].min()), float(table["int64"].max())} & codec
    tensors = safetensors.torch.load_file(revision / "model.safetensors")
    tensors |= safetensors.torch.load_file(revision / "latent.safetensors")
    assert all(ROWS * 0.9 not in t.shape and ROWS not in t.shape for t in tensors.values())


def test_rare_categories_and_extremes_stay_out(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"name": rng.choice(["Ann", "Bob"], 300), "pay": rng.normal(size=300)})
    table.loc[:3, "name"] = "Rumpelstiltskin"
    table.loc[7, "pay"] = 987_654.321
    synthesizer = Synthesizer(epochs=1).fit(table)
    synthesizer.save(tmp_path / "bundle")
    told = b"".join(path.read_bytes() for path in (tmp_path / "bundle").glob("*/*"))
    assert b"Rumpelstiltskin" not in told
    assert b"987654.321" not in told
    rows = synthesizer.sample(2_000)
    assert "Rumpelstiltskin" not in set(rows["name"])
    assert rows["pay"].max() < 987_654


def test_explanations(fitted, table):
    explanation = fitted.explain(table)
    assert explanation.rows == ROWS
    assert sum(explanation.contributions.values()) == pytest.approx(1, abs=1e-4)
    learned = {field.name for field in fitted.bundle.codec.layout.fields}
    assert set(explanation.contributions) == learned
    assert not learned & {"id", "text", "constant", "empty"}
    assert set(fitted.bundle.explanation["contributions"]) == learned


@pytest.mark.parametrize("off", ["fusion", "mixture_prior", "contrastive"])
def test_ablations(table, off):
    few = table[["age", "sex", "float64"]]
    synthesizer = Synthesizer(epochs=1, **{off: False}).fit(few)
    assert len(synthesizer.sample(10, where={"sex": "Male"})) == 10
    if off == "fusion":
        assert synthesizer.bundle.explanation == {}
        with pytest.raises(GTCoderError, match="without the fusion transformer"):
            synthesizer.explain(few)


def test_the_papers_preset(table, tmp_path):
    few = table[["age", "sex", "float64", "Int64", "day"]]
    synthesizer = Synthesizer(preset="paper", epochs=2).fit(few)
    rows = synthesizer.sample(200, where={"age": (40, 60), "sex": "Male"}, seed=1)
    assert rows["age"].between(40, 60).all()
    pd.testing.assert_series_equal(rows.dtypes, few.dtypes)
    synthesizer.save(tmp_path / "paper")
    loaded = Synthesizer.load(tmp_path / "paper")
    pd.testing.assert_frame_equal(
        loaded.sample(200, where={"age": (40, 60), "sex": "Male"}, seed=1), rows
    )


def test_arrow_tables_no_rows_and_no_discrete_columns(table):
    arrow = pa.table({"x": table["float64"].to_numpy(), "y": table["int64"].to_numpy()})
    synthesizer = Synthesizer(epochs=1).fit(arrow)
    rows = synthesizer.sample(0)
    assert rows.shape == (0, 2)
    assert len(synthesizer.sample(5_000, seed=1)) == 5_000


def test_schema_and_exclude(table):
    nested = table[["age", "sex"]].assign(list=[[1, 2]] * ROWS)
    with pytest.raises(SchemaError, match=r"'list'.*exclude"):
        Synthesizer(epochs=1).fit(nested)
    kinds = {"columns": {"age": {"kind": "categorical"}}}
    synthesizer = Synthesizer(epochs=1, exclude=["list"], schema=kinds).fit(nested)
    assert list(synthesizer.sample(3).columns) == ["age", "sex"]
    assert synthesizer.schema["age"].kind == "categorical"
    with pytest.raises(SchemaError, match=r"'agee'.*did you mean 'age'"):
        Synthesizer(epochs=1, exclude=["agee"]).fit(table)
    with pytest.raises(SchemaError, match=r"'agee'.*did you mean 'age'"):
        Synthesizer(schema={"columns": {"agee": {"kind": "real"}}}).fit(table[["age"]])


def test_a_table_that_does_not_fit_the_bundle(fitted, table):
    with pytest.raises(TableError, match=r"'sex'.*no such column"):
        fitted.explain(table.drop(columns="sex"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "best"}, "no preset 'best'; there are: default, paper"),
        ({"validation_fraction": 1.0}, r"validation_fraction must be in \[0, 1\), not 1.0"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"max_time_s": 0}, "max_time_s must be more than 0 seconds, not 0"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"device": "tpu9"}, "no device 'tpu9'; there are: cpu"),
        ({"exclude": "age"}, "exclude must be a list of columns, not the text 'age'"),
        ({"schema": "kinds.json"}, "schema must be a Schema or a dict .*, not 'kinds.json'"),
        ({"max_time_s": "90s"}, "max_time_s must be more than 0 seconds, not '90s'"),
        ({"rule_tolerance": 0.5}, r"rule_tolerance must be in \[0, 0.5\), not 0.5"),
        ({"min_category_rows": True}, "min_category_rows must be a whole number, not True"),
    ],
)
def test_options_that_cannot_be_used(table, options, message):
    with pytest.raises(ConfigError, match=message):
        Synthesizer(**options).fit(table[["age", "sex"]])


def test_tables_that_cannot_be_learned(table):
    with pytest.raises(ConfigError, match="0 rows"):
        Synthesizer().fit(table[["age", "sex"]][:0])
    with pytest.raises(ConfigError, match="there is no column to learn"):
        Synthesizer().fit(table[["constant", "empty"]])
    for nothing in ([], {}, pd.DataFrame()):
        with pytest.raises(ConfigError, match=r"there is no column to learn|0 rows"):
            Synthesizer().fit(nothing)
    with pytest.raises(TableError, match=r"found where one is: read 'age\.csv' with"):
        Synthesizer().fit("age.csv")
    with pytest.raises(TableError, match="column 'age' is there twice"):
        Synthesizer().fit(pd.concat([table[["age"]], table[["age"]]], axis=1))
    with pytest.raises(TableError, match=r"column mixed .*; give each column one type"):
        Synthesizer().fit(pd.DataFrame({"mixed": [1, "a", 2.5] * 10}))


def test_requests_that_cannot_be_met(fitted):
    with pytest.raises(ConditionError, match=r"\(Female, Male\); found 'Femal'"):
        fitted.sample(1, where={"sex": "Femal"})
    with pytest.raises(ConditionError, match=r"'agee'.*did you mean 'age'"):
        fitted.sample(1, where={"agee": 3})
    with pytest.raises(ConditionError, match="age"):
        fitted.sample(1, where=["age>=300"])
    with pytest.raises(ConfigError, match="n must be 0 or more, not -1"):
        fitted.sample(-1)
    with pytest.raises(ConfigError, match=r"sample how many rows\? Say it, as in sample\(1000\)"):
        fitted.sample()
    with pytest.raises(ConfigError, match="n must be a number of rows, not the text '10'"):
        fitted.sample("10")
    for n in (2.5, True, float("nan"), [10]):
        with pytest.raises(ConfigError, match="n must be a whole number, not"):
            fitted.sample(n)
    with pytest.raises(ConditionError, match="expected a dict of columns or texts, found 3"):
        fitted.sample(1, where=3)
    with pytest.raises(ConfigError, match="seed must be 0 or more"):
        fitted.sample(1, seed=-1)
    with pytest.raises(GTCoderError, match=r"nothing is learned yet: call fit\(table\)"):
        Synthesizer().sample(1)


def test_the_package_offers_the_synthesizer_and_no_more():
    assert gtcoder.Synthesizer is Synthesizer
    with pytest.raises(AttributeError, match="Synthesiser"):
        _ = gtcoder.Synthesiser


def test_what_is_meant_plainly_is_done(fitted):
    assert len(fitted.sample(1e1)) == len(fitted.sample(np.int64(10))) == 10
    assert (fitted.sample(20, where="age>=40")["age"] >= 40).all()


def test_a_schema_is_taken_as_it_is(table):
    schema = Schema.of(table[["age", "sex"]]).override(
        {"columns": {"age": {"kind": "categorical"}}}
    )
    assert Synthesizer(schema=schema, epochs=1).fit(table[["age", "sex"]]).schema["age"].kind == (
        "categorical"
    )


def test_an_index_is_not_left_out_in_silence(table, capsys):
    Synthesizer(epochs=1).fit(table[["age", "sex"]].set_index("age"))
    assert "warning: the table's index 'age' is not learned" in capsys.readouterr().err


def test_without_a_seed_every_call_gives_new_rows(fitted):
    assert not fitted.sample(50).equals(fitted.sample(50))


def test_a_seeds_stream_goes_on_where_one_says(fitted, drawn):
    parts = [
        fitted.sample(n, seed=7, start=start) for n, start in ((100, 0), (150, 100), (50, 250))
    ]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), drawn)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": "10"}, "n must be a number of rows, not the text '10'"),
        ({"n": 2.5}, "n must be a whole number, not 2.5"),
        ({"n": 10, "seed": "7"}, "seed must be a whole number, not '7'"),
        ({"n": 10, "start": -1}, "start must be 0 or more, not -1"),
    ],
)
def test_what_cannot_be_drawn_is_told(fitted, arguments, message):
    with pytest.raises(ConfigError, match=message):
        fitted.sample(**arguments)


def test_it_keeps_scikit_learns_habits(table):
    chosen = Synthesizer(epochs=3, exclude=("text",), max_time_s=60.0)
    copy = clone(chosen)
    assert copy is not chosen
    assert copy.get_params() == chosen.get_params()
    assert copy.get_params()["epochs"] == 3
    assert copy.set_params(epochs=4, seed=9) is copy
    assert (copy.get_params()["epochs"], chosen.get_params()["epochs"]) == (4, 3)
    with pytest.raises(ConfigError, match="no parameter 'epoch'; there are: preset, schema"):
        copy.set_params(epoch=4)
    with pytest.raises(ConfigError, match="epochs must be at least 1, not 0"):
        copy.set_params(epochs=0)
    assert copy.get_params()["epochs"] == 4


def test_its_repr_says_what_it_is_and_what_it_learned(fitted):
    assert repr(Synthesizer(epochs=3)) == "Synthesizer(epochs=3), nothing learned yet"
    assert repr(fitted) == "Synthesizer(epochs=3, seed=5), learned 400 rows of 25 columns"


def test_it_pickles(fitted, drawn):
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.sample(300, seed=7), drawn)
    assert again.get_params() == fitted.get_params()


def test_history_is_a_table(fitted):
    history = fitted.history
    assert len(history) >= 2
    assert {"epoch", "elapsed_s", "reconstruction", "validation"} <= set(history)
    assert history["epoch"].is_monotonic_increasing


def test_verbose_tells_kinds_what_is_not_learned_and_progress(table, capfd):
    Synthesizer(epochs=1, verbose=True).fit(table[["age", "sex", "text"]])
    out, err = capfd.readouterr()
    assert re.search(r"age +integer +int64", out)
    assert "warning: column 'text': free text: left out" in err
    assert "train: done in" in err
    Synthesizer(epochs=1).fit(table[["age", "sex"]])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("least", "named"), [(5, {"a", "b"}), (12, {"a"}), (2, {"a", "b", "c"})])
def test_how_few_rows_may_share_a_category_is_settable(least, named):
    table = pd.DataFrame({"x": ["a"] * 100 + ["b"] * 10 + ["c"] * 3, "y": range(113)})
    fitted = Synthesizer(epochs=1, min_category_rows=least).fit(table)
    assert set(fitted.bundle.codec.describe()["x"]["categories"]) == named
    with pytest.raises(ConfigError, match="min_category_rows must be at least 1, not 0"):
        Synthesizer(min_category_rows=0)


@pytest.mark.parametrize(
    "names",
    [[0, 1, 2], [2019, 2020, 2021], [1.5, 2.5, 3.5], [True, "b", None]],
    ids=str,
)
def test_names_that_are_no_text(names):
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.integers(0, 4, (200, 3)).astype(float))
    wide.columns = pd.Index(names, dtype=object)
    kinds = {"columns": {names[1]: {"kind": "categorical"}}}
    fitted = Synthesizer(epochs=1, exclude=[names[0]], schema=kinds).fit(wide)
    assert fitted.schema.names == [str(name) for name in names[1:]]
    assert fitted.schema[str(names[1])].kind == "categorical"
    assert kinds == {"columns": {names[1]: {"kind": "categorical"}}}


@pytest.mark.parametrize("names", [["a", "a"], ["x", "", ""], ["ü", "b", "ü"]], ids=str)
@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.timestamp("us")], ids=str)
def test_twin_names_are_one_line(names, kind):
    twins = pa.Table.from_arrays([pa.nulls(60, kind) for _ in names], names=names)
    twin = next(name for name in names if names.count(name) > 1)
    for table in (twins, twins.to_pandas()):
        with pytest.raises(TableError, match=f"column '{twin}' is there twice; rename or drop"):
            Synthesizer(epochs=1).fit(table)
    with pytest.raises(TableError, match="is there twice"):
        Synthesizer(epochs=1).fit(pd.DataFrame([[1, 2]] * 60, columns=[1, "1"]))


def test_rows_drawn_evenly_of_a_large_table_are_learned(table, capfd):
    """The codec is still that of all rows."""
    some = Synthesizer(max_rows=200, epochs=1, verbose=True).fit(table)
    told = f"learning 200 of the table's {ROWS} rows, drawn evenly; `max_rows=200` says how many"
    assert told in capfd.readouterr().out
    assert some.bundle.info["rows"] == len(table)
    whole = Synthesizer(epochs=1).fit(table)
    assert some.bundle.codec.to_dict() == whole.bundle.codec.to_dict()


def test_a_number_may_be_a_name():
    """As a postcode is: what one means says nothing of those beside it."""
    rng, rows, codes = np.random.default_rng(0), 20_000, 100
    code, rural = rng.integers(0, codes, rows), rng.integers(0, 2, codes) == 1
    odd = rng.random(rows) < 0.05  # so that it is no rule
    table = pd.DataFrame({"code": 10_000 + 7 * code, "rural": rural[code] ^ odd})
    drawn = Synthesizer(epochs=2, seed=0).fit(table).sample(4_000, seed=1)
    assert (drawn["rural"] == rural[(drawn["code"] - 10_000) // 7]).mean() > 0.9


def test_more_rows_are_learned_on(table, fitted, capsys):
    first = fitted.bundle
    again = pickle.loads(pickle.dumps(fitted))
    new = table.assign(category=table["category"].astype(str).replace("a", "z"), more=1)
    assert again.partial_fit(new) is again
    told = capsys.readouterr().err
    assert "column 'more' is not in the bundle: left out" in told
    assert "in a category without a name: learned as the commonest" in told
    info = again.bundle.info
    assert (info["rows"], info["new_rows"], info["from"]) == (2 * ROWS, ROWS, first.checksum)
    assert again.bundle.schema == first.schema
    assert fitted.bundle is first
    pd.testing.assert_series_equal(again.sample(20, seed=1).dtypes, fitted.sample(20).dtypes)
    with pytest.raises(SchemaError, match="column 'age': expected int64, found no such column"):
        again.partial_fit(table.drop(columns="age"))


def test_the_first_rows_of_partial_fit_are_fitted(table):
    some = table[["age", "sex"]]
    one, other = (Synthesizer(epochs=1) for _ in range(2))
    drawn = [each.sample(50, seed=1) for each in (one.partial_fit(some), other.fit(some))]
    pd.testing.assert_frame_equal(*drawn)
