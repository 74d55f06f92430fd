"""`gtcoder evaluate` from the command line: what it writes, says, and refuses."""

import json
from functools import partial

import pyarrow as pa
import pyarrow.csv
import pytest

OPTIONS = "--real --synthetic --holdout --target --rows --seed --schema --exclude --out --overwrite"


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
