"""Completing and scoring a table's files: a row for each row, to the same bytes however it goes."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import ConfigError, OutputError, SchemaError, TableError
from gtcoder.progress import Reporter
from gtcoder.synthesizer import Synthesizer
from ray_jobs.rewrite.request import RewriteRequest
from ray_jobs.rewrite.rewrite import run_rewrite


def rows(count: int, seed: int) -> pd.DataFrame:
    """A size that follows the colour."""
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "green", "blue"], count, p=[0.5, 0.3, 0.2])
    size = (rng.normal(size=count) + 6 * (colour == "red")).round(2)
    return pd.DataFrame({"colour": colour, "size": size, "number": rng.integers(0, 9, count)})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("bundle") / "b"
    Synthesizer(epochs=20, seed=0).fit(rows(2_000, 1)).save(path)
    return str(path)


@pytest.fixture
def table(tmp_path) -> Path:
    """Twenty files with gaps, three pieces, and a column that the bundle does not know."""
    folder = tmp_path / "table"
    folder.mkdir()
    for part in range(20):
        frame = rows(60, 10 + part)
        gone = np.random.default_rng(part).random((60, 2)) < 0.3
        frame[["colour", "size"]] = frame[["colour", "size"]].mask(gone)
        frame["note"] = [f"{part}-{at}" for at in range(60)]
        frame.to_parquet(folder / f"{part:02d}.parquet")
    return folder


def rewritten(table, bundle, out, **said) -> dict:
    """Run it; the manifest."""
    request = RewriteRequest(table=str(table), bundle=bundle, out=str(out), **said)
    run_rewrite(request, Reporter(quiet=True))
    return json.loads((Path(out) / "_manifest.json").read_text())


def digests(folder: Path) -> dict[str, str]:
    files = sorted(folder.glob("part-*"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_row_comes_back_in_its_place_without_gaps(table, bundle, tmp_path):
    manifest = rewritten(table, bundle, tmp_path / "out")
    before, after = pd.read_parquet(table), pd.read_parquet(tmp_path / "out")
    assert list(after.columns) == list(before.columns)
    assert (after["note"] == before["note"]).all()
    assert not after.isna().any(axis=None)
    for name in ("colour", "size", "number"):
        there = before[name].notna()
        assert (after[name][there] == before[name][there]).all()
    filled = before["size"].isna()
    middle = after[filled].groupby("colour")["size"].median()
    assert middle["red"] == pytest.approx(6, abs=1)
    assert (manifest["rows"], manifest["broken"]) == (1_200, 0)
    assert manifest["filled"] == int(before.isna().sum().sum())
    assert not (tmp_path / "out" / "_request.json").exists()


def test_what_is_missing_of_the_files_is_written_again_to_the_same_bytes(table, bundle, tmp_path):
    out = tmp_path / "out"
    rewritten(table, bundle, out, seed=3)
    whole = digests(out)
    assert len(whole) == 3
    os.remove(out / "part-000001.parquet")
    (out / "part-000002.parquet").write_bytes(b"PAR1 and no more")
    stamp = (out / "part-000000.parquet").stat().st_mtime_ns
    manifest = rewritten(table, bundle, out, seed=3)
    assert digests(out) == whole
    assert (out / "part-000000.parquet").stat().st_mtime_ns == stamp
    assert manifest["rows"] == 1_200
    rewritten(table, bundle, tmp_path / "other", seed=4)
    assert digests(tmp_path / "other") != whole


def test_tasks_of_a_cluster_write_what_threads_here_do(ray_session, table, bundle, tmp_path):
    rewritten(table, bundle, tmp_path / "here")
    rewritten(table, bundle, tmp_path / "there", address="auto")
    assert digests(tmp_path / "here") == digests(tmp_path / "there")


def test_several_draws_and_whole_columns(table, bundle, tmp_path):
    rewritten(table, bundle, tmp_path / "out", draws=3, columns=["size"])
    after = pd.read_parquet(tmp_path / "out")
    assert after["draw"].value_counts().to_dict() == dict.fromkeys(range(3), 1_200)
    spread = after.groupby("note")["size"].std()
    assert spread.median() > 0.3


def test_scores_stand_beside_the_rows_and_the_least_likely_are_named(bundle, tmp_path, capsys):
    frame = rows(300, 20)
    odd = frame.index[frame["colour"] == "blue"][0]
    frame.loc[odd, "size"] = 6.5
    frame.to_parquet(tmp_path / "t.parquet")
    rewritten(tmp_path / "t.parquet", bundle, tmp_path / "out", score=True)
    after = pd.read_parquet(tmp_path / "out")
    assert (after["size"] == frame["size"]).all()
    assert after["log_likelihood"].rank()[odd] <= 10
    assert after["most_surprising"].isin(["colour", "size", "number"]).all()
    said = [line for line in capsys.readouterr().out.splitlines() if "nats" in line]
    assert len(said) == 10
    assert any(f"t.parquet row {odd} (part-000000.parquet row {odd})" in line for line in said)


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"draws": 0}, ConfigError, "--n must be from 1 to 20, not 0"),
        ({"seed": -1}, ConfigError, "--seed must not be negative"),
        ({"columns": ["sizes"]}, TableError, "--columns: expected some of .*; found 'sizes'"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(table, bundle, tmp_path, said, error, message):
    with pytest.raises(error, match=message):
        rewritten(table, bundle, tmp_path / "out", **said)
    assert not (tmp_path / "out").exists()


def test_scoring_needs_all_columns_and_free_names(table, bundle, tmp_path):
    frame = rows(50, 3)
    frame.drop(columns="size").to_parquet(tmp_path / "less.parquet")
    with pytest.raises(SchemaError, match="column 'size'"):
        rewritten(tmp_path / "less.parquet", bundle, tmp_path / "out", score=True)
    frame.assign(excess=1).to_parquet(tmp_path / "more.parquet")
    with pytest.raises(TableError, match="has a column 'excess'"):
        rewritten(tmp_path / "more.parquet", bundle, tmp_path / "out", score=True)
    table = pa.table({"other": [1, 2]})
    pq.write_table(table, tmp_path / "none.parquet")
    with pytest.raises(TableError, match="has no column of the bundle: colour, size, number"):
        rewritten(tmp_path / "none.parquet", bundle, tmp_path / "out")


def test_a_folder_of_others_is_left_alone(table, bundle, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="holds files that gtcoder complete did not write"):
        rewritten(table, bundle, out)
    rewritten(table, bundle, tmp_path / "two", seed=1)
    with pytest.raises(OutputError, match=r"another request \(its seed differ\).*--overwrite"):
        rewritten(table, bundle, tmp_path / "two", seed=2)
