"""`gtcoder evaluate` from the command line: what it writes, says, and refuses."""

import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

OPTIONS = (
    "--real --synthetic --holdout --target --rows --seed --schema --exclude --csv --quick --out "
    "--overwrite"
)


@pytest.fixture
def evaluate(run):
    return partial(run, "evaluate")


def test_help_names_every_option(evaluate, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = evaluate("--help")
    assert code == 0
    for option in OPTIONS.split():
        assert option in out


def test_a_report_is_written_once(evaluate, table_folder, tmp_path):
    table = pa.concat_tables(
        [pa.parquet.read_table(part) for part in sorted(table_folder.rglob("*.parquet"))]
    )
    synthetic = tmp_path / "synthetic.csv"
    plain = table.set_column(0, "colour", table["colour"].cast(pa.string()))
    pa.csv.write_csv(plain, synthetic)
    places = ("--real", table_folder, "--synthetic", synthetic, "--exclude", "month", "--rows", 200)
    code, out, err = evaluate(*places, "--out", tmp_path / "report", "--target", "colour")
    assert code == 0, err
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["sources"]["synthetic"]["used"] == 200
    assert report["privacy"]["exact_copy_share"]["synthetic"] == 1
    page = (tmp_path / "report" / "report.html").read_text()
    assert out.startswith(report["summary"]["line"])
    for each in report["verdict"]:
        assert each["headline"] in out
        assert each["headline"] in page
    assert out.splitlines()[-1] == f"report: {tmp_path}/report/report.html"
    assert "fidelity: done" in err
    code, out, err = evaluate(*places, "--out", tmp_path / "report")
    assert (code, out) == (1, "")
    assert "report.json exists; choose another place" in err
    code, out, err = evaluate(*places, "--out", tmp_path / "report", "--overwrite", "--quiet")
    assert (code, err) == (0, "")
    assert json.loads((tmp_path / "report" / "report.json").read_text())["utility"] is None
    code, out, err = evaluate(*places, "--out", tmp_path / "quick", "--quick")
    assert code == 0, err
    assert "A quick report, without α-precision" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--synthetic", "/nowhere"], "no table: /nowhere: no such file or folder"),
        (["--target", "colr"], "did you mean 'colour'"),
        (["--rows", "many"], "--rows 'many': expected a whole number"),
        (["--holdout", "{tmp}/month=1/part.parquet"], "column 'month' of {tmp} is missing from"),
    ],
)
def test_a_mistake_is_one_line(evaluate, arguments, message, tmp_path, table_folder):
    given = [argument.format(tmp=table_folder) for argument in arguments]
    places = ["--real", table_folder, "--synthetic", table_folder, "--out", tmp_path / "report"]
    code, out, err = evaluate(*places, *given, "--quiet")
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message.format(tmp=table_folder) in err
    assert not list(tmp_path.iterdir())


def uuids(count):
    rng = np.random.default_rng(0)
    return [rng.bytes(16).hex() for _ in range(count)]


@pytest.mark.parametrize(
    "column", [uuids(300), list(range(1, 301)), [f"K-{at:05d}" for at in range(300)]], ids=len
)
@pytest.mark.parametrize("size", [1, 3])
def test_a_table_of_identifiers_alone(evaluate, tmp_path, column, size):
    table = pa.table({f"id{at}": column for at in range(size)})
    pa.csv.write_csv(table, tmp_path / "t.csv")
    places = ("--real", tmp_path / "t.csv", "--synthetic", tmp_path / "t.csv")
    code, out, err = evaluate(*places, "--out", tmp_path / "report", "--quiet")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "no column can be compared, all are identifiers" in err


def test_real_rows_of_another_make(evaluate, tmp_path):
    rows = [f"{at % 40 + 1};{at % 7},5;0{at % 9};{at % 3}" for at in range(300)]
    (tmp_path / "real.csv").write_bytes(("größe;b;zip;new\n" + "\n".join(rows)).encode("latin-1"))
    table = pa.table(
        {
            "größe": [at % 40 + 1 for at in range(300)],
            "b": [at % 7 + 0.5 for at in range(300)],
            "zip": [f"{at % 9 + 1}" for at in range(300)],
        }
    )
    pa.csv.write_csv(table, tmp_path / "synthetic.csv")
    places = ("--real", tmp_path / "real.csv", "--synthetic", tmp_path / "synthetic.csv")
    code, _, err = evaluate(*places, "--exclude", "new", "--out", tmp_path / "r", "--quiet")
    assert code == 1
    assert "--csv encoding=latin-1" in err
    said = ("--exclude", "new", "--csv", "encoding=latin-1,decimal=,", "--csv", "text=zip")
    code, _, err = evaluate(*places, *said, "--out", tmp_path / "r", "--quiet")
    assert (code, err) == (0, "")
