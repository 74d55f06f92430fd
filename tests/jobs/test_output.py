"""What a generation writes: its files' names and rows, and whose they are."""

import json
from dataclasses import replace

import pytest

from gtcoder.errors import OutputError
from ray_jobs.folder import MANIFEST
from ray_jobs.output import Output, is_shard
from ray_jobs.shards import Stream


@pytest.fixture
def output(tmp_path):
    return Output(
        folder=str(tmp_path), bundle="c", rows=5, rows_per_file=3, seed=0, where=["b=2", "a=1"]
    )


def test_shards_share_the_rows(output):
    first, last = output.shards
    assert (first.name, first.start, first.stop) == ("part-00000-of-00002.parquet", 0, 3)
    assert (last.name, last.start, last.stop) == ("part-00001-of-00002.parquet", 3, 5)
    assert [output.rows_in(shard.name) for shard in output.shards] == [3, 2]


@pytest.mark.parametrize(
    ("name", "shard"), [("part-00007-of-00009.parquet", True), (MANIFEST, False), ("x", False)]
)
def test_what_is_no_shard_of_it_has_no_rows(output, name, shard):
    assert (is_shard(name), output.rows_in(name)) == (shard, 0)


def test_files_that_are_not_where_they_should_be(output, tmp_path):
    (tmp_path / output.shards[0].name).touch()
    with pytest.raises(OutputError, match=r"lacks part-00001-of-\d+.parquet, .* machines share"):
        output.see_whole()
    (tmp_path / output.shards[1].name).touch()
    (tmp_path / "_request.json").write_text(json.dumps(output.identity | {"seed": 1}))
    with pytest.raises(OutputError, match="taken over by another request"):
        output.see_whole()
    (tmp_path / "_request.json").write_text(json.dumps(output.identity))
    output.see_whole()


def test_a_manifest_says_whose_the_files_are(output, tmp_path):
    assert not output.is_finished()
    (tmp_path / MANIFEST).write_text("{")
    assert not output.is_finished()
    (tmp_path / MANIFEST).write_text(json.dumps(output.identity | {"where": []}))
    assert not output.is_finished()
    output.finish()
    assert output.is_finished()
    assert [file["rows"] for file in json.loads((tmp_path / MANIFEST).read_text())["files"]] == [
        3,
        2,
    ]


def test_files_drawn_on_another_kind_of_device_are_others(output):
    other = replace(output, device="cuda")
    assert other.identity == output.identity | {"device": "cuda"}
    here = Stream("b", "c", seed=0, where=())
    [first, _] = output.shards
    assert first.fingerprint(here) != first.fingerprint(replace(here, device="cuda"))
