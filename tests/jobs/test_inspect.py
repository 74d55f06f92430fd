"""What a table is taken for, before anything is trained."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import ConfigError, OutputError, SchemaError
from gtcoder.progress import Reporter
from gtcoder.schema.schema import Schema
from gtcoder.synthesizer import Synthesizer
from gtcoder.table.locate import locate
from ray_jobs.inspect import InspectRequest, run_inspection


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six files, of which every one has another city."""
    path = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    for at in range(6):
        rows = pd.DataFrame(
            {
                "age": pd.array(rng.integers(18, 90, 200), "Int64"),
                "city": [f"city {at}"] * 200,
                "remark": [" ".join(rng.choice(["a", "b", "c"], 40)) + str(i) for i in range(200)],
            }
        )
        rows.loc[:19, "age"] = None
        rows.to_parquet(path / f"{at}.parquet")
    return path


def test_it_shows_kinds_types_missing_and_what_is_not_learned(folder, capsys):
    run_inspection(InspectRequest(table=str(folder)), Reporter(quiet=True))
    said = capsys.readouterr().out
    assert "1,200 rows, 6 parquet files" in said
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line.strip()}
    assert rows["age"][1:4] == ["integer", "int64", "10.0%"]
    assert rows["city"][1:4] == ["categorical", "large_string", "6"]
    assert "text" in rows["remark"]
    assert "not learned: remark" in said
    assert "city 1" not in said, "no value of the table"


def test_what_it_writes_can_be_edited_and_given_back(folder, tmp_path):
    out = tmp_path / "schema.json"
    run_inspection(InspectRequest(table=str(folder), out=str(out)), Reporter(quiet=True))
    plain = json.loads(out.read_text())
    assert plain["columns"]["age"]["kind"] == "integer"
    assert "categorical" in plain["columns"]["age"]["could_be"]
    plain["columns"]["age"]["kind"] = "categorical"
    table = pa.concat_tables(list(locate(folder).batches()))
    fitted = Synthesizer(schema=plain, epochs=1).fit(table)
    assert fitted.schema["age"].kind == "categorical"
    assert fitted.schema["city"].kind == "categorical"
    with pytest.raises(OutputError, match=r"schema.json exists; choose another --out, or add"):
        run_inspection(InspectRequest(table=str(folder), out=str(out)), Reporter(quiet=True))


def test_files_damaged_within_are_skipped_and_told_without_ray(damaged_within, capsys):
    request = InspectRequest(table=str(damaged_within), on_bad_file="skip")
    run_inspection(request, Reporter(quiet=True))
    told = capsys.readouterr()
    assert "600 rows, 3 parquet files" in told.out
    assert told.err.count("skipped: ") == 1


def test_a_type_that_cannot_be_learned_is_told_before_the_rows_are_read(tmp_path):
    pq.write_table(pa.table({"a": [[1, 2], [3]]}), tmp_path / "t.parquet")
    with pytest.raises(SchemaError, match=r"leave it out with `exclude=\['a'\]`, or flatten it"):
        run_inspection(InspectRequest(table=str(tmp_path / "t.parquet")), Reporter(quiet=True))


def test_an_unknown_word_is_told():
    with pytest.raises(ConfigError, match="`on_bad_file='maybe'`: expected fail or skip"):
        InspectRequest(table="t", on_bad_file="maybe")


def test_in_python_it_is_the_schema_of_a_frame():
    frame = pd.DataFrame({"n": range(9), "<b>": ["x", "y", "z"] * 3})
    schema = Schema.of(frame)
    assert [column.kind for column in schema.columns] == ["integer", "categorical"]
    assert str(schema).splitlines()[1].split() == ["<b>", "categorical", str(schema["<b>"].type)]
    assert ">&lt;b&gt;</td>" in schema._repr_html_()
    assert Schema.of(frame, exclude=["n"]).names == ["<b>"]
    assert schema.override(schema.editable()) == schema
