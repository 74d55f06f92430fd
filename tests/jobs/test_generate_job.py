"""The generation job: exactly the rows asked for, the same bytes whoever writes them and when."""

import dataclasses
import json
import re
import shutil
import signal

import pyarrow.parquet as pq
import pytest

from gtcoder.bundle import Bundle
from gtcoder.errors import ConditionError, ConfigError, OutputError
from gtcoder.sampling.sample import Sampler
from gtcoder.table.files import beside, list_files
from ray_jobs.folder import MANIFEST
from ray_jobs.generate import GenerateRequest, run_generation
from ray_jobs.owner import owned

pytestmark = pytest.mark.timeout(240)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def request_of(bundle_path):
    def make(out, **changed):
        fields = {"bundle": bundle_path, "rows": 9_500, "rows_per_file": 2_000, "seed": 5}
        return GenerateRequest(**{**fields, "out": str(out), "num_workers": 2, **changed})

    return make


@pytest.fixture(scope="module")
def reference(ray_session, request_of, tmp_path_factory):
    """The files that one worker writes undisturbed."""
    from gtcoder.progress import Reporter

    out = tmp_path_factory.mktemp("reference") / "rows"
    run_generation(request_of(out, num_workers=1), Reporter(quiet=True))
    return out


def test_exactly_the_rows_of_the_stream(reference, bundle_path):
    bundle = Bundle.load(bundle_path)
    names = [f"part-{index:05d}-of-00005.parquet" for index in range(5)]
    assert sorted(contents(reference)) == [MANIFEST, *names]
    manifest = json.loads((reference / MANIFEST).read_text())
    assert manifest["files"] == [
        {"name": name, "rows": rows}
        for name, rows in zip(names, [2_000] * 4 + [1_500], strict=True)
    ]
    assert (manifest["rows"], manifest["seed"]) == (9_500, 5)
    assert manifest["bundle"] == bundle.checksum
    written = pq.read_table(reference)
    assert written.schema == bundle.schema.arrow
    assert written == Sampler(bundle.model(), bundle.codec).rows(5, 0, 9_500)


def test_three_workers_write_the_same_bytes(reference, request_of, tmp_path, reporter, capsys):
    run_generation(request_of(tmp_path / "o", num_workers=3), reporter)
    assert contents(tmp_path / "o") == contents(reference)
    line = capsys.readouterr().out
    for word in ("9,500 rows in 5 files", "rows/s", "peak memory", str(tmp_path / "o")):
        assert word in line


def test_a_half_written_file_is_never_taken_for_a_whole_one(
    reference, request_of, tmp_path, reporter
):
    out = tmp_path / "o"
    shutil.copytree(reference, out)
    identity = json.loads((out / MANIFEST).read_text())
    del identity["files"]
    (out / "_request.json").write_text(json.dumps(identity))
    (out / MANIFEST).unlink()
    whole = (out / "part-00001-of-00005.parquet").read_bytes()
    (out / "part-00001-of-00005.parquet").write_bytes(whole[: len(whole) // 2])
    (out / "part-00002-of-00005.parquet").write_bytes(whole)  # whole, but of other rows
    (out / "part-00003-of-00005.parquet").unlink()
    beside(out / "part-00003-of-00005.parquet").write_bytes(whole[:100])
    kept = (out / "part-00000-of-00005.parquet").stat().st_mtime_ns
    run_generation(request_of(out), reporter)
    assert contents(out) == contents(reference)
    assert (out / "part-00000-of-00005.parquet").stat().st_mtime_ns == kept


def test_a_second_run_writes_nothing(reference, request_of, reporter, capsys):
    before = {path: path.stat().st_mtime_ns for path in reference.glob("*.parquet")}
    run_generation(request_of(reference), reporter)
    assert {path: path.stat().st_mtime_ns for path in reference.glob("*.parquet")} == before
    assert "0 of them written now" in capsys.readouterr().out


def test_killed_and_run_again_it_ends_with_the_same_bytes(
    ray_session, bundle_path, request_of, tmp_path, command, wait_until, reporter
):
    changed = {"rows": 200_000, "rows_per_file": 20_000}
    run_generation(request_of(tmp_path / "undisturbed", **changed), reporter)
    out = tmp_path / "o"
    line = ["generate", bundle_path, "--out", out, "--seed", 5, "--num-workers", 2]
    process = command(*line, "--rows", "200_000", "--rows-per-file", "20_000")
    wait_until(lambda: len(list(out.glob("part-*"))) >= 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / MANIFEST).exists()
    assert len(list(out.glob("part-*"))) < 10
    run_generation(request_of(out, **changed), reporter)
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_all_rows_meet_the_conditions(ray_session, request_of, tmp_path, reporter):
    where = ("colour=blue", "count>=4")
    run_generation(request_of(tmp_path / "o", rows=500, where=where), reporter)
    rows = pq.read_table(tmp_path / "o")
    assert len(rows) == 500
    assert set(rows["colour"].to_pylist()) == {"blue"}
    assert min(rows["count"].to_pylist()) >= 4


def test_another_request_needs_overwrite(reference, request_of, tmp_path, reporter):
    out = tmp_path / "o"
    shutil.copytree(reference, out)
    (out / "notes.txt").touch()
    other = request_of(out, rows=2_000, seed=1, overwrite=True)
    with pytest.raises(OutputError, match=r"another request \(other rows and seed\)"):
        run_generation(dataclasses.replace(other, overwrite=False), reporter)
    assert contents(out) == contents(reference) | {"notes.txt": b""}
    run_generation(other, reporter)
    assert sorted(contents(out)) == [MANIFEST, "notes.txt", "part-00000-of-00001.parquet"]


def test_a_request_that_wrote_nothing_yet_is_not_overtaken(
    ray_session, request_of, tmp_path, reporter
):
    (tmp_path / "_request.json").write_text(json.dumps({"rows": 1}))
    with pytest.raises(OutputError, match="is damaged"):
        run_generation(request_of(tmp_path), reporter)
    earlier = dict.fromkeys(("bundle", "rows", "rows_per_file", "seed", "where"))
    (tmp_path / "_request.json").write_text(json.dumps(earlier))
    with pytest.raises(OutputError, match=r"another request \(other bundle .* being written"):
        run_generation(request_of(tmp_path, rows=10), reporter)
    run_generation(request_of(tmp_path, rows=10, overwrite=True), reporter)
    assert sorted(contents(tmp_path)) == [MANIFEST, "part-00000-of-00001.parquet"]


def test_a_second_one_is_told_of_the_first_and_leaves_its_drafts(request_of, tmp_path, reporter):
    out = tmp_path / "o"
    with owned(str(out), "generation", reporter):
        beside(out / "part-00003-of-00005.parquet").touch()
        before = contents(out)
        for changed in ({}, {"seed": 6, "overwrite": True}):
            with pytest.raises(OutputError, match=rf"^{out} is in use: a generation by"):
                run_generation(request_of(out, **changed), reporter)
        assert contents(out) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_says_what_is_left(bundle_path, tmp_path, command, wait_until, number):
    out = tmp_path / "rows.csv"
    process = command("generate", bundle_path, "--rows", 10**9, "--out", out)
    wait_until(lambda: list(tmp_path.glob(".rows.csv.*.tmp")))
    second = command("generate", bundle_path, "--rows", 9, "--out", out)
    _, said = second.communicate()
    assert second.returncode == 1
    assert re.fullmatch(rf"error: {out} is in use: a generation by .*kill \d+ on .*\n", said)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == 128 + number
    assert said.endswith(f"interrupted; {out} is not written, the same command begins anew\n")
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_foreign_files_are_left_alone(request_of, tmp_path, reporter):
    (tmp_path / "thesis.parquet").touch()
    draft = beside(tmp_path / "thesis")
    draft.touch()
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="holds files that gtcoder generate did not write"):
            run_generation(request_of(tmp_path, overwrite=overwrite), reporter)
    assert list_files(tmp_path) == {draft.name: 0, "thesis.parquet": 0}


def test_a_condition_the_bundle_cannot_meet(request_of, tmp_path, reporter):
    with pytest.raises(ConditionError, match="colour"):
        run_generation(request_of(tmp_path / "o", where=("colour=gren",)), reporter)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows": 0}, "--rows must be at least 1, not 0"),
        ({"rows_per_file": -1}, "--rows-per-file must be at least 1"),
        ({"seed": -1}, "--seed must not be negative"),
    ],
)
def test_impossible_numbers(request_of, tmp_path, changed, message):
    with pytest.raises(ConfigError, match=message):
        request_of(tmp_path, **changed)


def test_files_by_default(request_of, tmp_path):
    def files(rows):
        return -(-rows // request_of(tmp_path, rows=rows, rows_per_file=None).shard_rows)

    assert [files(rows) for rows in (1, 50_000, 200_000, 10**6, 10**7, 10**8)] == [
        1, 1, 4, 8, 10, 100,
    ]  # fmt: skip
