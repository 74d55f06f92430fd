"""The same jobs from and to an object store."""

import dataclasses
import json
import tracemalloc
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder import revisions
from gtcoder.bundle import Bundle
from gtcoder.errors import BundleError, OutputError, TableError
from gtcoder.evaluation.evaluate import Request
from gtcoder.evaluation.report.files import PAGE, REPORT
from gtcoder.progress import Reporter
from gtcoder.table.files import (
    exists,
    join,
    list_files,
    open_read,
    open_write,
    read_bytes,
    remove,
    write_bytes,
)
from gtcoder.table.locate import locate
from ray_jobs.evaluate import run_evaluation
from ray_jobs.explain import ATTENTION, run_explanation
from ray_jobs.folder import MANIFEST
from ray_jobs.generate import GenerateRequest, run_generation
from ray_jobs.rewrite.request import RewriteRequest
from ray_jobs.rewrite.rewrite import run_rewrite
from ray_jobs.train import TrainRequest, run_training

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def remote_table(s3, table_folder):
    for name in list_files(table_folder):
        write_bytes(f"{s3}/lake/flights/{name}", read_bytes(join(table_folder, name)))
    write_bytes(f"{s3}/lake/flights/_SUCCESS", b"")
    return f"{s3}/lake/flights"


def test_files(s3):
    folder = f"{s3}/files"
    write_bytes(f"{folder}/a/b", b"123")
    write_bytes(f"{folder}/c", b"")
    assert list_files(folder) == {"a/b": 3, "c": 0}
    write_bytes(f"{folder}/c", b"new")
    assert read_bytes(f"{folder}/c") == b"new"
    with open_read(f"{folder}/a/b") as file:
        file.seek(-2, 2)
        assert file.read() == b"23"
    assert exists(folder)
    assert not exists(f"{s3}/nothing")
    remove(f"{folder}/c")
    assert list_files(folder) == {"a/b": 3}
    remove(folder)
    assert list_files(folder) == {}


@pytest.mark.parametrize("size", [1, 5 << 20], ids=["small", "of several parts"])
def test_an_interrupted_upload_leaves_no_object(s3, size):
    def interrupted():
        with open_write(f"{s3}/interrupted") as file:
            file.write(b"half" * size)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not exists(f"{s3}/interrupted")


def test_a_large_file_is_never_in_memory_whole(s3):
    piece = bytes(range(256)) * (1 << 12)
    tracemalloc.start()
    with open_write(f"{s3}/large") as file:
        for _ in range(120):
            file.write(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read_bytes(f"{s3}/large") == piece * 120
    assert peak < len(piece) * 70


def test_a_remote_table_is_the_local_one(remote_table, table_folder):
    here, there = locate(table_folder), locate(f"{remote_table}/")
    assert there.schema == here.schema
    assert list(there.batches()) == list(here.batches())
    assert locate(f"{remote_table}/month=[12]/*.parquet").rows == 400


def test_completing_from_and_to_a_store(remote_table, table_folder, bundle_path, s3, tmp_path):
    """The same bytes as on disk, and nothing written twice; a change of the table is seen."""
    asked = {"bundle": bundle_path, "seed": 1}

    def completed(table, out):
        request = RewriteRequest(table=str(table), out=str(out), **asked)
        run_rewrite(request, Reporter(quiet=True))
        return {name: read_bytes(join(out, name)) for name in list_files(out)}

    here = completed(table_folder, tmp_path / "out")
    there = completed(remote_table, f"{s3}/completed")
    assert list(there) == [MANIFEST, "part-000000.parquet"]
    rows = [pq.read_table(pa.BufferReader(files["part-000000.parquet"])) for files in (here, there)]
    assert rows[0].equals(rows[1])
    assert completed(remote_table, f"{s3}/completed") == there
    table = locate(remote_table)
    [piece] = table.pieces()
    table.check_unchanged(piece)
    write_bytes(table.files[3].path, read_bytes(table.files[2].path))
    with pytest.raises(TableError, match="was written anew while the table was read"):
        table.check_unchanged(piece)
    write_bytes(table.files[3].path, read_bytes(join(table_folder, "month=4/part.parquet")))


def test_train_and_generate(ray_session, remote_table, s3, reporter):
    bundle = f"{s3}/models/flights"
    run_training(TrainRequest(table=remote_table, out=bundle, epochs=2), reporter)
    assert Bundle.load(bundle).info["rows"] == 800
    assert list_files(f"{s3}/models/flights.run") == {}
    out = f"{s3}/lake/synthetic"
    request = GenerateRequest(bundle=bundle, rows=900, rows_per_file=400, out=out, num_workers=1)
    run_generation(request, reporter)
    names = [f"part-{index:05d}-of-00003.parquet" for index in range(3)]
    assert list(list_files(out)) == [MANIFEST, *names]
    assert [file["rows"] for file in json.loads(read_bytes(join(out, MANIFEST)))["files"]] == [
        400,
        400,
        100,
    ]
    with open_read(join(out, names[2])) as file:
        assert pq.read_schema(file).equals(locate(remote_table).schema)
    before = read_bytes(join(out, names[1]))
    remove(join(out, names[1]))
    run_generation(request, reporter)
    assert read_bytes(join(out, names[1])) == before


def test_what_explains_and_measures_is_written_there_too(remote_table, s3, bundle_path, reporter):
    remote = f"{s3}/models/explained"
    Bundle.load(bundle_path).save(remote)
    run_explanation(remote, f"{s3}/explained", reporter)
    assert read_bytes(f"{s3}/explained/{ATTENTION}").startswith(b"\x89PNG")
    request = Request(
        real=f"{remote_table}/month=[12]/*.parquet",
        synthetic=f"{remote_table}/month=[34]/*.parquet",
        exclude=("month",),
    )
    run_evaluation(request, f"{s3}/report", reporter, overwrite=False)
    assert list(list_files(f"{s3}/report")) == [PAGE, REPORT]
    assert json.loads(read_bytes(f"{s3}/report/{REPORT}"))["sources"]["real"]["rows"] == 400


def test_a_bundle_is_complete_once_its_pointer_is_there(s3, bundle_path, monkeypatch):
    uri = f"{s3}/models/copied"
    bundle = Bundle.load(bundle_path)
    other = dataclasses.replace(bundle, history=[], checksum="")
    other.save(uri)
    with monkeypatch.context() as aged:
        aged.setattr(revisions, "KEPT", timedelta(0))
        for each in (dataclasses.replace(bundle, explanation={}, checksum=""), bundle):
            each.save(uri, overwrite=True)
    assert Bundle.load(uri).checksum == bundle.checksum
    with pytest.raises(BundleError, match="another bundle than the one asked for"):
        Bundle.load(uri, other.checksum)
    assert len({name.partition("/")[0] for name in list_files(uri)}) == 3
    revisions.point_back(uri)
    assert Bundle.load(uri).explanation == {}
    with pytest.raises(OutputError, match="`overwrite=True`"):
        bundle.save(uri)
    bundle.save(uri, overwrite=True)
    remove(join(uri, "bundle.json"))
    with pytest.raises(BundleError, match=r"is not a bundle: it has no bundle\.json"):
        Bundle.load(uri)


def test_what_is_not_there_is_one_clear_line(s3):
    with pytest.raises(TableError, match=r"^no table: s3://nobucket/t: no such bucket"):
        locate("s3://nobucket/t")
    with pytest.raises(TableError, match=rf"^no table: {s3}/t: no such file or folder"):
        locate(f"{s3}/t")
    with pytest.raises(BundleError, match=r"^no bundle: s3://nobucket/b: no such"):
        Bundle.load("s3://nobucket/b")


def test_a_bundle_whose_upload_broke_off_is_written_again(s3, bundle_path):
    bundle, place = Bundle.load(bundle_path), f"{s3}/broken/b"
    write_bytes(f"{place}/schema.json", b"{}")
    bundle.save(place)
    assert Bundle.load(place).checksum == bundle.checksum
    write_bytes(f"{s3}/foreign/schema.json", b"{}")
    write_bytes(f"{s3}/foreign/thesis.txt", b"")
    with pytest.raises(OutputError, match="exists and is not a bundle"):
        bundle.save(f"{s3}/foreign", overwrite=True)


def test_wrong_keys_are_one_clear_line(s3, monkeypatch):
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "not-the-key")
    with pytest.raises(TableError, match="access denied; check the permissions or credentials"):
        locate(f"{s3}/lake")
    s3fs.S3FileSystem.clear_instance_cache()
