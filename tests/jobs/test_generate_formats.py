"""Rows in other forms than Parquet, in a folder or one file: read back they are what was drawn."""

import dataclasses
import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError, OutputError
from gtcoder.sampling.sample import Sampler
from gtcoder.synthesizer import Synthesizer
from gtcoder.table import locate
from ray_jobs.generate import GenerateRequest, run_generation

ROWS = 900
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Learned from files in the manner of a German Excel."""
    days = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in RNG.integers(0, 900, ROWS)]
    table = pa.table(
        {
            "zip": [f"{v:05d}" for v in RNG.integers(1067, 99_999, ROWS)],
            "day": days,
            "at": [dt.datetime(2020, 1, 1, int(h)) for h in RNG.integers(0, 24, ROWS)],
            "price": RNG.integers(0, 10**5, ROWS) / 100,
            "tax": [Decimal(int(v)) / 4 for v in RNG.integers(0, 400, ROWS)],
            "city": RNG.choice(["Köln", "a;b", 'say "hi"', "NA"], ROWS),
            "note": pa.array(RNG.choice(["x", "y"], ROWS), mask=RNG.random(ROWS) < 0.3),
        }
    )
    path = tmp_path_factory.mktemp("bundles") / "b"
    learned = Synthesizer(epochs=1).fit(table).bundle
    info = {**learned.info, "csv": "sep=; decimal=, dates=dmy encoding=cp1252"}
    dataclasses.replace(learned, info=info).save(path)
    return path


@pytest.fixture(scope="module")
def expected(bundle):
    opened = Bundle.load(bundle)
    return Sampler(opened.model(), opened.codec).rows(7, 0, 300)


def generate(bundle, out, reporter, **asked):
    request = GenerateRequest(bundle=str(bundle), rows=300, seed=7, out=str(out), **asked)
    run_generation(request, reporter)


def values(table):
    """As text with two decimals, since a CSV file knows no types."""
    plain = {name: table[name].to_pylist() for name in table.column_names}
    plain["price"] = [f"{float(v):.2f}" for v in plain["price"]]
    plain["tax"] = [f"{float(v):.2f}" for v in plain["tax"]]
    return plain


def test_one_csv_file_is_written_as_the_tables_files_were(bundle, expected, tmp_path, reporter):
    out = tmp_path / "rows.csv"
    generate(bundle, out, reporter)
    first, second = out.read_bytes().decode("cp1252").splitlines()[:2]
    assert first == '"zip";"day";"at";"price";"tax";"city";"note"'
    assert second.split(";")[1].strip('"').count(".") == 2
    table = locate(out, csv="encoding=cp1252")
    back = pa.concat_tables(list(table.batches()))
    assert str(table.csv).startswith("sep=; ")
    assert table.schema.field("day").type == pa.date32()
    assert values(back) == values(expected)
    assert not list(tmp_path.glob("*/")), "no folder, no index"


def test_one_parquet_file_is_the_very_rows(bundle, expected, tmp_path, reporter):
    generate(bundle, tmp_path / "rows.parquet", reporter)
    assert pq.read_table(tmp_path / "rows.parquet").equals(expected)


def test_one_file_of_json_lines(bundle, expected, tmp_path, reporter):
    generate(bundle, tmp_path / "rows.jsonl", reporter)
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(lines) == 300
    assert [line["zip"] for line in lines] == expected["zip"].to_pylist()
    assert [line["note"] for line in lines] == expected["note"].to_pylist()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_folder_goes_on_and_is_no_other_requests(
    ray_session, bundle, expected, tmp_path, reporter, form
):
    asked = {"format": form, "rows_per_file": 100, "num_workers": 1}
    generate(bundle, tmp_path / "out", reporter, **asked)
    files = sorted(path.name for path in (tmp_path / "out").glob("part-*"))
    assert files == [f"part-{k:05d}-of-00003.{form}" for k in range(3)]
    before = {name: (tmp_path / "out" / name).read_bytes() for name in files}
    (tmp_path / "out" / files[1]).unlink()
    generate(bundle, tmp_path / "out", reporter, **asked)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files} == before
    for other in ({}, {"format": "csv" if form == "jsonl" else "jsonl"}):
        with pytest.raises(OutputError, match=r"rows of another request \(other format\)"):
            generate(bundle, tmp_path / "out", reporter, **(asked | {"format": None} | other))
    if form == "csv":
        table = locate(tmp_path / "out" / "*.csv", csv="encoding=cp1252")
        assert values(pa.concat_tables(list(table.batches()))) == values(expected)


def test_one_file_is_not_overwritten_unasked(bundle, tmp_path, reporter):
    out = tmp_path / "rows.csv"
    out.write_text("mine")
    with pytest.raises(OutputError, match=r"rows.csv exists; choose another --out, or add --over"):
        generate(bundle, out, reporter)
    assert out.read_text() == "mine"
    generate(bundle, out, reporter, overwrite=True)
    assert len(out.read_text("cp1252").splitlines()) == 301


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"format": "xlsx"}, "--format xlsx: expected parquet, csv, jsonl"),
        ({"format": "csv", "out": "x.jsonl"}, "--format csv and --out x.jsonl say different"),
    ],
)
def test_what_cannot_be_written_is_told(asked, message):
    with pytest.raises(ConfigError, match=message):
        GenerateRequest(**({"bundle": "b", "rows": 1, "out": "o"} | asked))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_line(bundle, reporter, tmp_path):
    with pytest.raises(ConfigError, match=r"no device 'cuda'; there are: cpu"):
        generate(bundle, tmp_path / "a.csv", reporter, use_gpu=True)
