"""Whether a table is of the kind that a bundle has learned: by column and in whole rows."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import ConfigError, TableError
from gtcoder.progress import Reporter
from gtcoder.synthesizer import Synthesizer
from ray_jobs.drift import DriftRequest, run_drift


def rows(count, seed):
    """A size that follows the colour, and a number that follows nothing."""
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "green", "blue"], count, p=[0.5, 0.3, 0.2])
    return pd.DataFrame(
        {
            "colour": colour,
            "size": rng.normal(size=count) + 4 * (colour == "red"),
            "number": rng.integers(0, 9, count),
            "id": [f"key-{seed}-{at}" for at in range(count)],
        }
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "b"
    Synthesizer(epochs=12).fit(rows(3_000, 1)).save(path)
    return str(path)


@pytest.fixture
def compared(bundle, tmp_path, capsys):
    """The report on a table, as `--json` prints it."""

    def compare(table, **said):
        path = tmp_path / "t.parquet"
        if isinstance(table, pd.DataFrame):
            table.to_parquet(path)
        else:
            pq.write_table(table, path)
        request = DriftRequest(table=str(path), bundle=bundle, json=True, **said)
        drifted = run_drift(request, Reporter(quiet=True))
        report = json.loads(capsys.readouterr().out)
        assert report["drifted"] is drifted
        return report

    return compare


@pytest.mark.parametrize("count", [40, 3_000])
def test_rows_of_the_same_kind_have_not_drifted(compared, count):
    report = compared(rows(count, 2))
    assert (report["rows"], report["known_rows"]) == (count, 3_000)
    assert report["drift"] == 0
    assert report["columns"].keys() == {"colour", "size", "number", "id"}


def test_numbers_that_moved_are_seen(compared):
    table = rows(3_000, 3)
    table["size"] += 0.7
    report = compared(table)
    assert report["drift"] == report["columns"]["size"]["drift"] > 0.08
    assert report["columns"]["size"]["changed"].startswith("higher: mean rank 50% → 6")
    assert report["columns"]["number"]["drift"] == report["columns"]["colour"]["drift"] == 0


def test_a_column_that_no_longer_follows_another_is_seen_in_whole_rows(compared):
    table = rows(3_000, 4)
    table["size"] = np.random.default_rng(0).permutation(table["size"])
    report = compared(table)
    assert {column["drift"] for column in report["columns"].values()} == {0}
    assert report["drift"] == report["whole_rows"]["drift"] > 0.1
    assert report["whole_rows"]["nats"] > 0.1, "less likely"


@pytest.mark.parametrize(
    ("change", "column", "changed", "misfits"),
    [
        (
            lambda t: t.assign(colour=t["colour"].replace("blue", "violet")),
            "colour",
            "of rows in a category without a name",
            {"in a category without a name": 600},
        ),
        (
            lambda t: t.assign(number=t["number"].astype("Int64").mask(t.index < 900)),
            "number",
            "30.0% of rows missing where none was",
            {"missing where none was": 900},
        ),
        (
            lambda t: t.assign(size=t["size"].mask(t.index < 900, 99.0)),
            "size",
            "30.0% of rows above its range",
            {"above its range": 900},
        ),
    ],
)
def test_what_the_codec_has_no_code_for_is_told(compared, change, column, changed, misfits):
    report = compared(change(rows(3_000, 5)))
    found = report["columns"][column]
    assert report["drift"] == found["drift"] > 0.1
    assert changed in found["changed"]
    assert found["misfits"] == {
        what: pytest.approx(count, rel=0.1) for what, count in misfits.items()
    }


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"size": None}, "column 'size': expected double, found no such column"),
        ({"size": ["?"] * 100}, "column 'size': expected double, found large_string"),
    ],
)
def test_columns_that_are_gone_or_retyped_count_in_full(compared, columns, said):
    table = rows(100, 6).drop(columns="size").assign(more=1)
    kept = {name: values for name, values in columns.items() if values is not None}
    report = compared(table.assign(**kept))
    assert (report["drift"], report["wrong_columns"]) == (1, [said])
    assert (report["added_columns"], report["whole_rows"]) == (["more"], None)
    report = compared(table.assign(**kept), exclude=("size", "more"))
    assert (report["drift"], report["wrong_columns"], report["added_columns"]) == (0, [], [])


@pytest.mark.parametrize(
    "kind",
    [
        pa.int8(),
        pa.float64(),
        pa.decimal128(21, 2),
    ],
    ids=str,
)
def test_another_type_of_the_same_numbers_is_no_drift(compared, kind):
    table = pa.Table.from_pandas(rows(3_000, 7), preserve_index=False)
    other = table["number"].cast(kind)
    assert compared(table.set_column(2, "number", other))["drift"] == 0


def test_nothing_but_nulls_is_read(compared):
    table = pa.Table.from_pandas(rows(3_000, 8), preserve_index=False)
    for place, name in ((2, "number"), (0, "colour")):
        table = table.set_column(place, name, pa.nulls(3_000))
    report = compared(table)
    assert report["columns"]["number"]["misfits"] == {"missing where none was": 3_000}
    assert report["columns"]["colour"]["drift"] > 0.9


def test_the_command_prints_a_table_and_says_it_with_its_exit_code(bundle, tmp_path, run):
    rows(3_000, 9).to_parquet(tmp_path / "same.parquet")
    code, said, _ = run("drift", tmp_path / "same.parquet", "--bundle", bundle, "--quiet")
    assert code == 0
    assert "no drift: 0.0% of 3,000 rows" in said
    assert "key-" not in said
    rows(3_000, 9).assign(size=0.0).to_parquet(tmp_path / "other.parquet")
    line = ["drift", tmp_path / "other.parquet", "--bundle", bundle, "--quiet"]
    code, said, _ = run(*line)
    assert code == 3
    first = [text.split()[0] for text in said.splitlines() if text.strip()][3]
    assert first == "size", "the largest drift is the first"
    assert run(*line, "--threshold", "0.99")[0] == 0
    code, _, error = run(*line, "--threshold", "5")
    assert (code, error) == (1, "error: --threshold must be between 0 and 1, not 5.0\n")


def test_a_table_of_other_columns_is_refused(bundle, tmp_path):
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    request = DriftRequest(table=str(tmp_path / "t.parquet"), bundle=bundle)
    with pytest.raises(TableError, match="no column of the bundle that is to be compared"):
        run_drift(request, Reporter(quiet=True))
    with pytest.raises(ConfigError, match="`on_bad_file='maybe'`: expected fail or skip"):
        DriftRequest(table="t", bundle=bundle, on_bad_file="maybe")
