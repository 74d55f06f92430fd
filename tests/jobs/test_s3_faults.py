"""An object store that refuses, lies or breaks off: a retry or one clear line, never half a table.

A proxy before the real server cuts answers short, after so many bytes and so many times.
"""

import os
import re
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs

from gtcoder.bundle import Bundle
from gtcoder.errors import GTCoderError
from gtcoder.table.files import exists, list_files, open_write, read_bytes, write_bytes
from gtcoder.table.locate import locate
from ray_jobs.generate import GenerateRequest, run_generation
from ray_jobs.train import TrainRequest, run_training

pytestmark = pytest.mark.timeout(120)

ONE_LINE = re.compile(r"[^\n]+")


@pytest.fixture
def proxy(s3, cutting_proxy, monkeypatch):
    proxy = cutting_proxy(urlsplit(os.environ["AWS_ENDPOINT_URL"]).port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    s3fs.S3FileSystem.clear_instance_cache()
    yield proxy
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def many(s3):
    """A table of thirty files."""
    for number in range(30):
        with open_write(f"{s3}/many/{number:02d}.parquet") as file:
            pq.write_table(pa.table({"a": range(number * 1_000, number * 1_000 + 1_000)}), file)
    return f"{s3}/many"


def content(table):
    return pa.concat_tables(table.batches())["a"].to_pylist()


@pytest.mark.parametrize("after_bytes", [0, 100, 700, 3_000])
def test_a_listing_cut_short_is_asked_for_again(proxy, many, after_bytes):
    proxy.break_off(rb"GET /bucket\?", after_bytes, times=2)
    assert len(list_files(many)) == 30
    assert proxy.cut == 2


@pytest.mark.parametrize("after_bytes", [0, 60, 400, 3_000])
def test_a_file_cut_short_is_read_again(proxy, many, after_bytes):
    table = locate(many)
    proxy.break_off(rb"GET /bucket/many/07", after_bytes, times=2)
    assert content(table) == list(range(30_000))
    assert proxy.cut == 2


@pytest.mark.slow
@pytest.mark.parametrize("what", [rb"GET /bucket\?", rb"GET /bucket/many/07"])
def test_a_store_that_never_answers_whole_is_one_line(proxy, many, what):
    proxy.break_off(what, 300, times=10**9)
    with pytest.raises(GTCoderError) as raised:
        content(locate(many, skip_bad_files=True))  # it is no bad file
    assert ONE_LINE.fullmatch(str(raised.value))
    assert many in str(raised.value)


def test_an_upload_cut_short_is_sent_again_or_not_there(proxy, s3):
    proxy.break_off(rb"PUT /bucket/up", 0, times=1)
    write_bytes(f"{s3}/up", b"x" * 100_000)
    assert proxy.cut == 1
    assert read_bytes(f"{s3}/up") == b"x" * 100_000


def test_a_store_that_is_gone_is_one_line(proxy, many, tmp_path):
    proxy.close()
    for skip_bad_files in (False, True):
        with pytest.raises(GTCoderError, match=rf"{many}: the object store did not answer"):
            locate(many, skip_bad_files=skip_bad_files)


@pytest.fixture
def wrong_keys(s3, monkeypatch):
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "not-the-key")
    yield
    s3fs.S3FileSystem.clear_instance_cache()


def generation(bundle, out):
    return GenerateRequest(bundle=bundle, rows=10, out=out)


@pytest.mark.parametrize("part", ["table", "out", "storage"])
def test_wrong_keys_are_one_line_of_a_training(
    wrong_keys, s3, table_folder, tmp_path, reporter, part
):
    request = {"table": str(table_folder), "out": str(tmp_path / "b"), part: f"{s3}/secret"}
    with pytest.raises(GTCoderError, match=f"{s3}/secret.*: access denied; check the perm") as said:
        run_training(TrainRequest(**request), reporter)
    assert ONE_LINE.fullmatch(str(said.value))


def test_wrong_keys_are_one_line_of_a_generation(wrong_keys, s3, bundle_path, tmp_path, reporter):
    for request in (
        generation(f"{s3}/secret", str(tmp_path / "o")),
        generation(bundle_path, f"{s3}/secret"),
    ):
        with pytest.raises(GTCoderError, match=f"{s3}/secret.*: access denied; check") as said:
            run_generation(request, reporter)
        assert ONE_LINE.fullmatch(str(said.value))


def test_a_missing_bucket_is_one_line(s3, table_folder, bundle_path, tmp_path, reporter):
    nowhere = "s3://no-such-bucket/b"
    with pytest.raises(GTCoderError, match=rf"{nowhere}.*: no such bucket"):
        run_training(TrainRequest(table=str(table_folder), out=nowhere), reporter)
    with pytest.raises(GTCoderError, match=rf"{nowhere}.*: no such bucket"):
        run_generation(generation(bundle_path, nowhere), reporter)
    with pytest.raises(GTCoderError, match=r"no such"):
        run_generation(generation(nowhere, str(tmp_path / "o")), reporter)
    assert not exists(nowhere)
    assert Bundle.load(bundle_path)
