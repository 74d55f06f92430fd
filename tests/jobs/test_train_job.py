"""The training job on real workers: what it leaves, and what survives a kill."""

import json
import os
import re
import signal
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data

from gtcoder.bundle import Bundle
from gtcoder.errors import OutputError, SchemaError, TableError
from gtcoder.progress import Reporter, Stage
from gtcoder.sampling.sample import Sampler
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.files import list_files, read_bytes
from gtcoder.table.locate import locate
from gtcoder.training.rows import encoded as encoded_rows
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.rows.parts import write_manifest
from ray_jobs.cluster.cluster import present
from ray_jobs.sources.dataset import DatasetSource
from ray_jobs.sources.encoding import Encoding, save_codec
from ray_jobs.sources.located import LocatedTable
from ray_jobs.train import TrainRequest, run_training

pytestmark = pytest.mark.timeout(240)


def workers_of_this_process():
    """Process ids of the training workers in the Ray that the tests started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            command = (status.parent / "cmdline").read_bytes()
            parents = [status]
            for _ in range(2):
                parent = re.search(r"PPid:\t(\d+)", parents[-1].read_text())[1]
                parents.append(Path("/proc", parent, "status"))
        except OSError:
            continue
        if b"RayTrainWorker" in command and parents[-1].parent.name == str(os.getpid()):
            found.append(int(status.parent.name))
    return found


def test_two_workers_train_on_partitions_though_one_is_killed(
    ray_session, table_folder, tmp_path, reporter, capsys, wait_until
):
    out = tmp_path / "models" / "b"
    killed = []

    def kill_one():
        wait_until(lambda: list(tmp_path.glob("models/b.run/checkpoints/*/state.safetensors")))
        killed.append(workers_of_this_process()[0])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    run_training(
        TrainRequest(
            table=str(table_folder),
            out=str(out),
            epochs=100_000,
            max_time_s=14,
            num_workers=2,
            validation_fraction=0.0,  # nothing held out, so no plateau ends it early
            exclude=("count",),
            schema={"columns": {"month": {"kind": "categorical"}}},
        ),
        reporter,
    )
    killer.join()
    assert killed
    line = capsys.readouterr().out
    for word in ("800 rows", "rows/s", "sketch", "encode", "train", "peak memory", str(out)):
        assert word in line
    bundle = Bundle.load(out)
    assert bundle.schema.names == ["colour", "size", "month"]
    assert bundle.schema["month"].kind == "categorical"
    assert (bundle.info["rows"], bundle.info["stopped"]) == (800, "max_time")
    assert bundle.explanation["contributions"].keys() == {"colour", "size", "month"}
    rows = Sampler(bundle.model(), bundle.codec).rows(1, 0, 50)
    assert rows.schema == locate(table_folder).schema.remove(2)
    assert [path.name for path in out.parent.iterdir()] == ["b"]


def test_files_of_another_make(ray_session, tmp_path, capsys):
    """A Windows export in German, the later file with a column more."""
    folder, out = tmp_path / "t", tmp_path / "b"
    folder.mkdir()
    for month, more in enumerate(["", ";neu"]):
        lines = [f"Stadt;PLZ;Preis;Tag;Art{more}"] + [
            f"{('Köln', 'Zürich', 'NA')[at % 3]};{at % 7};{at % 11},5;"
            f"{at % 28 + 1:02}.0{month + 1}.2024;{'-' if at % 5 else 'x'}{';1' if more else ''}"
            for at in range(200)
        ]
        (folder / f"{month}.csv").write_bytes("\r\n".join(lines).encode("cp1252"))
    asked = {"table": str(folder), "out": str(out), "epochs": 1, "num_workers": 1}
    with pytest.raises(TableError, match="`csv='encoding=latin-1'`"):
        run_training(TrainRequest(**asked), Reporter())
    said = CsvFormat.of("encoding=cp1252,null=-,text=PLZ")
    with pytest.raises(TableError, match=r"column 'neu' .*`exclude=\['neu'\]`"):
        run_training(TrainRequest(**asked, csv=said), Reporter())
    run_training(TrainRequest(**asked, csv=said, exclude=("neu",)), Reporter())
    told = capsys.readouterr()
    assert "read as --csv 'sep=;" in told.out + told.err
    assert "NA among its words is kept; if it means nothing, say `csv='null=NA'`" in told.err
    bundle = Bundle.load(out)
    assert bundle.schema.arrow.types == [
        pa.string(), pa.string(), pa.float64(), pa.date32(), pa.string()
    ]  # fmt: skip
    rows = Sampler(bundle.model(), bundle.codec).rows(1, 0, 300)
    assert set(rows["Stadt"].to_pylist()) == {"Köln", "Zürich", "NA"}
    assert set(rows["PLZ"].to_pylist()) <= set("0123456")
    assert set(rows["Art"].to_pylist()) == {None, "x"}


def test_encoding_goes_on_where_it_stopped(ray_session, table_folder, tmp_path, bundle_path):
    table = LocatedTable(locate(table_folder / "*" / "*.parquet")).on(present(local=True))
    run, folder = str(tmp_path / "run"), str(tmp_path / "run" / "encoded")
    codec = Bundle.load(bundle_path).codec
    save_codec(run, codec)
    job = Encoding(run=run, folder=folder, rows=800, table_rows=800, seed=0, fraction=0.1)

    def encode():
        write_manifest(folder, table.encode(job, Stage("encode")), codec.layout)
        return {name: read_bytes(f"{folder}/{name}") for name in list_files(folder)}

    first = encode()
    untouched = Path(folder, "piece-000000.json").stat().st_mtime_ns
    manifest = json.loads(first["_encoded.json"])
    assert sum(part["train"] + part["validation"] for part in manifest["parts"]) == 800
    Path(folder, "_encoded.json").unlink()
    assert encode() == first
    assert Path(folder, "piece-000000.json").stat().st_mtime_ns == untouched


def test_of_a_large_table_rows_drawn_evenly_are_encoded(
    ray_session, table_folder, tmp_path, bundle_path
):
    """About as many as asked for, of every file, the same ones each time; also of Ray Data."""
    table = LocatedTable(locate(table_folder / "*" / "*.parquet")).on(present(local=True))
    codec = Bundle.load(bundle_path).codec

    def encoded(run, source, seed):
        save_codec(str(run), codec)
        job = Encoding(
            run=str(run),
            folder=f"{run}/encoded",
            rows=300,
            table_rows=800,
            seed=seed,
            fraction=0.0,
        )
        written = source.encode(job, Stage("encode"))
        write_manifest(job.folder, written, codec.layout)
        rows = EncodedRows.open(job.folder, codec.layout).whole()
        return {row.tobytes() for row in np.hstack([rows.codes, rows.scalars])}, written.lines

    rows, lines = encoded(tmp_path / "a", table, 0)
    whole = sum(int(line["train"]) for line in lines)
    assert 220 < whole < 380
    assert min(int(line["train"]) for line in lines) > 0
    assert encoded(tmp_path / "b", table, 0)[0] == rows
    assert encoded(tmp_path / "c", table, 1)[0] != rows
    blocks = DatasetSource.of(ray.data.read_parquet(str(table_folder)))
    lines = encoded(tmp_path / "d", blocks, 0)[1]
    assert 220 < sum(int(line["train"]) for line in lines) < 380


def test_parts_of_wide_rows_have_fewer(table_folder, tmp_path, bundle_path, monkeypatch):
    codec = Bundle.load(bundle_path).codec
    monkeypatch.setattr(encoded_rows, "WINDOW_VALUES", 200 * len(codec.layout.fields))
    batch = pq.read_table(table_folder).select(codec.schema.arrow.names)
    rows = {"rows": len(batch), "table_rows": len(batch)}
    job = Encoding(run=str(tmp_path), folder=str(tmp_path / "e"), **rows, seed=0, fraction=0.0)
    parts = [line["train"] for line in job.write(codec, [batch], "piece").lines]
    assert sum(parts) == len(batch)
    assert max(parts) <= 50


def checkpointed_history(run):
    """The training curve in the last checkpoint of a run's folder."""
    content = max(run.glob("checkpoints/*/state.safetensors")).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["state"])["history"]


def test_a_killed_training_goes_on_from_its_checkpoint(table_folder, tmp_path, command, wait_until):
    out, run = tmp_path / "b", tmp_path / "b.run"
    line = ["train", table_folder, "--out", out, "--epochs", "100000"]
    line += ["--validation-fraction", "0", "--max-time"]  # nothing held out, so no plateau
    first = command(*line, "600s")
    wait_until(lambda: list(run.glob("checkpoints/*/state.safetensors")))
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not out.exists()
    assert (run / "encoded" / "_encoded.json").exists()
    before = checkpointed_history(run)

    second = command(*line, "14s", "--resume")
    answer, said = second.communicate()
    assert second.returncode == 0, said
    assert "going on with the training" in answer
    assert "sketch" not in said
    assert "encode" not in said
    bundle = Bundle.load(out)
    assert bundle.info["stopped"] == "max_time"
    assert bundle.history[: len(before)] == before
    assert len(bundle.history) > len(before)
    assert not run.exists()


def test_a_file_damaged_within_is_named(ray_session, damaged_within, tmp_path, reporter):
    request = TrainRequest(table=str(damaged_within), out=str(tmp_path / "b"))
    with pytest.raises(TableError, match=r"month=3/part.parquet is not a readable parquet file"):
        run_training(request, reporter)


def test_bad_files_are_skipped_and_counted(ray_session, damaged_within, tmp_path, reporter, capsys):
    (damaged_within / "month=4" / "part.parquet").write_bytes(b"")
    request = TrainRequest(
        table=str(damaged_within), out=str(tmp_path / "b"), epochs=1, on_bad_file="skip"
    )
    run_training(request, reporter)
    info = Bundle.load(tmp_path / "b").info
    assert (info["rows"], info["skipped_files"]) == (400, 2)
    told = capsys.readouterr()
    assert "400 rows learned" in told.out
    assert "2 bad files skipped" in told.out
    assert re.search(r"warning: skipped: .*month=3/part.parquet is not a readable", told.err)
    assert re.search(r"warning: skipped: .*month=4/part.parquet is not a readable", told.err)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"table": "/nowhere"}, TableError, "no table: /nowhere: no such file or folder"),
        ({"exclude": ("colours",)}, SchemaError, r"colours.*did you mean 'colour'"),
        ({"schema": {"columns": {"size": {"kind": "reel"}}}}, SchemaError, "did you mean 'real'"),
    ],
)
def test_mistakes_are_found_before_ray_starts(
    table_folder, tmp_path, reporter, changed, error, message
):
    request = {"table": str(table_folder), "out": str(tmp_path / "b"), **changed}
    with pytest.raises(error, match=message):
        run_training(TrainRequest(**request), reporter)
    assert not list(tmp_path.iterdir())


def test_a_bundle_that_is_there_is_not_overwritten(table_folder, bundle_path, reporter):
    with pytest.raises(OutputError, match="`overwrite=True`"):
        run_training(TrainRequest(table=str(table_folder), out=bundle_path), reporter)
