"""Completing and scoring a table's files: a row for each row, to the same bytes however it goes."""

import hashlib
import json
import os
from pathlib import Path

import deltalake
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.bundle import Bundle
from gtcoder.errors import BundleError, ConfigError, OutputError, SchemaError, TableError
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


class Meddler(Reporter):
    """Does something to the table once it was found, before its rows are read."""

    def __init__(self, act):
        super().__init__(quiet=True)
        self.act = act

    def note(self, text):
        self.act()


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


def test_a_delta_table_is_completed_as_its_files_are(ray_session, bundle, tmp_path):
    """Also the gaps of a partition column, which stand in a folder's name."""
    frame = rows(600, 5)
    gone = np.random.default_rng(5).random((600, 2)) < 0.3
    frame[["colour", "size"]] = frame[["colour", "size"]].mask(gone)
    frame["row"] = range(600)
    path = str(tmp_path / "t")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    deltalake.write_deltalake(path, table.slice(0, 400), partition_by=["colour"])
    deltalake.write_deltalake(path, table.slice(400), mode="append")
    rewritten(f"delta:{path}", bundle, tmp_path / "here")
    rewritten(f"delta:{path}", bundle, tmp_path / "there", address="auto")
    assert digests(tmp_path / "here") == digests(tmp_path / "there")
    after = pd.read_parquet(tmp_path / "here").sort_values("row", ignore_index=True)
    assert list(after.columns) == list(frame.columns)
    assert not after.isna().any(axis=None)
    for name in ("colour", "size", "number", "row"):
        there = frame[name].notna()
        assert (after[name][there] == frame[name][there]).all()


def test_several_draws_and_whole_columns(table, bundle, tmp_path):
    rewritten(table, bundle, tmp_path / "out", draws=3, whole=["size"])
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
        ({"whole": ["sizes"]}, TableError, "--columns: expected some of .*; found 'sizes'"),
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
    with pytest.raises(OutputError, match=r"another request \(other seed\).*--overwrite"):
        rewritten(table, bundle, tmp_path / "two", seed=2)


def test_another_request_replaces_the_files_when_it_is_told_to(table, bundle, tmp_path):
    rewritten(table, bundle, tmp_path / "other", seed=2, draws=2)
    out = tmp_path / "out"
    rewritten(table, bundle, out, seed=1)
    rewritten(table, bundle, out, seed=2, draws=2, overwrite=True)
    assert digests(out) == digests(tmp_path / "other")
    assert {path.name for path in out.iterdir()} == {*digests(out), "_manifest.json"}
    stamps = [path.stat().st_mtime_ns for path in sorted(out.glob("part-*"))]
    rewritten(table, bundle, out, seed=2, draws=2, overwrite=True)  # its own: nothing to replace
    assert [path.stat().st_mtime_ns for path in sorted(out.glob("part-*"))] == stamps
    (out / "_manifest.json").write_text('{"rows": 3}')
    with pytest.raises(OutputError, match="damaged, or not of gtcoder complete"):
        rewritten(table, bundle, out, overwrite=True)


def test_an_output_within_the_table_is_refused(table, bundle):
    with pytest.raises(TableError, match="lies in the table's folder"):
        rewritten(table, bundle, table / "out")
    with pytest.raises(TableError, match="lies in the table's folder"):
        rewritten(f"{table.parent}/**/*.parquet", bundle, table.parent / "other")
    with pytest.raises(OutputError, match="did not write"):
        rewritten(table, bundle, table)
    assert len(list(table.iterdir())) == 20


def test_only_the_bundle_that_is_meant_completes(table, bundle, tmp_path):
    with pytest.raises(BundleError, match="checksum"):
        rewritten(table, bundle, tmp_path / "out", checksum="0" * 64)
    assert not (tmp_path / "out").exists()
    rewritten(table, bundle, tmp_path / "out", checksum=Bundle.load(bundle).checksum)


def test_a_run_that_goes_on_tells_what_it_wrote_itself(table, bundle, tmp_path, capsys):
    out = tmp_path / "out"
    rewritten(table, bundle, out)
    os.remove(out / "part-000001.parquet")
    capsys.readouterr()
    request = RewriteRequest(table=str(table), bundle=bundle, out=str(out))
    run_rewrite(request, Reporter())
    said = capsys.readouterr().out
    assert "2 of 3 files are there already" in said
    assert "1,200 rows completed" in said
    assert "in 3 files, 480 of them written now at " in said
    run_rewrite(request, Reporter(quiet=True))
    assert ", 0 of them written now; peak memory" in capsys.readouterr().out


def test_the_least_likely_rows_are_named_by_their_files(table, bundle, tmp_path, capsys):
    """A row group that is not a file's first, in a piece that is not the first."""
    for path in sorted(table.iterdir()):
        rows(60, int(path.stem)).assign(note="usual").to_parquet(path)
    frame = rows(90, 40).assign(note="odd")
    frame.loc[77, ["colour", "size"]] = ["green", 6.61]
    frame.to_parquet(table / "17.parquet", row_group_size=25)
    rewritten(table, bundle, tmp_path / "out", score=True)
    said = capsys.readouterr().out.splitlines()
    place = f"{table}/17.parquet row 77 (part-000002.parquet row 137)"
    assert any(f"{place}  " in line for line in said)
    after = pq.read_table(tmp_path / "out" / "part-000002.parquet").to_pandas()
    assert (after["note"][137], after["size"][137]) == ("odd", 6.61)


def test_what_is_given_is_passed_on_to_the_last_bit(bundle, tmp_path):
    """Whatever the bundle makes of it: categories and numbers that it never saw, other types."""
    size = [None, 1e9, 0.1234567891, -0.0, np.inf, 3.0, None, 2.5]
    colour = ["purple", None, "", "red", "RED", None, "green", "blue"]
    table = pa.table(
        {
            "size": pa.array(size, pa.float64()),
            "colour": pa.array(colour).dictionary_encode(),
            "number": pa.array([None, -7, 120, 3, 4, 5, 6, None], pa.int8()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    rewritten(tmp_path / "t.parquet", bundle, tmp_path / "out")
    after = pq.read_table(tmp_path / "out" / "part-000000.parquet")
    assert after.schema.equals(table.schema)
    for name in table.column_names:
        for before, now in zip(table[name].to_pylist(), after[name].to_pylist(), strict=True):
            assert now is not None
            assert before is None or repr(now) == repr(before)


def test_a_column_of_nothing_but_gaps_becomes_the_bundles(bundle, tmp_path):
    table = pa.table({"number": [1, 2, 3], "colour": pa.nulls(3)})
    pq.write_table(table, tmp_path / "t.parquet")
    rewritten(tmp_path / "t.parquet", bundle, tmp_path / "out")
    after = pq.read_table(tmp_path / "out")
    assert set(after["colour"].to_pylist()) <= {"red", "green", "blue"}
    assert after.column_names == ["number", "colour", "size"]


def test_a_type_that_cannot_hold_what_is_drawn_is_told(bundle, tmp_path):
    table = pa.table({"size": pa.array([1, None, None], pa.int64()), "number": [1, 2, 3]})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"column 'size' is int64 .*cannot hold .*as double"):
        rewritten(tmp_path / "t.parquet", bundle, tmp_path / "out")


@pytest.mark.parametrize("address", [None, "auto"])
def test_a_file_that_changes_or_goes_midway_is_told(ray_session, table, bundle, tmp_path, address):
    out, last = tmp_path / "out", table / "19.parquet"
    whole = last.read_bytes()

    def run(act):
        request = RewriteRequest(table=str(table), bundle=bundle, out=str(out), address=address)
        run_rewrite(request, Meddler(act))

    with pytest.raises(TableError, match=r"19\.parquet: no such file"):
        run(last.unlink)
    assert not (out / "part-000002.parquet").exists()
    assert not (out / "_manifest.json").exists()
    last.write_bytes(whole)
    with pytest.raises(OutputError, match=r"another request \(other table\).*--overwrite"):
        run(lambda: None)
    fresh = tmp_path / "fresh"
    rewritten(table, bundle, fresh)
    changed = rows(60, 99).assign(note="new")
    out = tmp_path / "two"
    with pytest.raises(TableError, match=r"19\.parquet was written anew while the table was read"):
        run(lambda: changed.to_parquet(last))
    names = {path.name for path in out.iterdir()} - {"_request.json"}
    assert names <= {"part-000000.parquet", "part-000001.parquet"}
    for name in names:
        assert (out / name).read_bytes() == (fresh / name).read_bytes()


def test_files_whose_columns_differ_are_told_before_a_row_is_read(table, bundle, tmp_path):
    frame = pd.read_parquet(table / "19.parquet")
    frame.assign(late=1).to_parquet(table / "19.parquet")
    with pytest.raises(TableError, match=r"column 'late' of .*19\.parquet is missing from .*00\."):
        rewritten(table, bundle, tmp_path / "out")
    frame.assign(size="much").to_parquet(table / "19.parquet")
    with pytest.raises(
        TableError, match=r"column 'size' has type double in .* but large_string in"
    ):
        rewritten(table, bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    manifest = rewritten(table, bundle, tmp_path / "out", on_bad_file="skip")
    assert manifest["rows"] == 1_140
    manifest = rewritten(table, bundle, tmp_path / "without", exclude=["size", "note"])
    after = pd.read_parquet(tmp_path / "without")
    assert list(after.columns) == ["colour", "number", "size"]  # as of a table that has none
    assert manifest["rows"] == len(after) == 1_200
    with pytest.raises(TableError, match="--exclude: the table has no column 'sise'"):
        rewritten(table, bundle, tmp_path / "sise", exclude=["size", "sise"])
    frame.assign(number=frame["number"].astype("int16")).to_parquet(table / "19.parquet")
    rewritten(table, bundle, tmp_path / "wider")
    assert pq.read_table(tmp_path / "wider")["number"].type == pa.int64()
