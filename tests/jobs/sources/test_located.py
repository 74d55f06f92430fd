"""A table of files is read in pieces, by tasks or by threads, with the same result."""

from functools import partialmethod

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.codec.codec import Codec
from gtcoder.progress import Stage
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.locate import locate
from gtcoder.table.table import Table
from ray_jobs.cluster.cluster import present
from ray_jobs.sources.located import LocatedTable, located
from ray_jobs.sources.options import ReadOptions


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_rows):
    """Six files; a dictionary's words come in another order in every file, so there is none."""
    path = tmp_path_factory.mktemp("files")
    for at in range(6):
        rows = make_rows(150, at)
        rows = rows.set_column(0, "colour", rows["colour"].cast(pa.string()))
        pq.write_table(rows, path / f"{at}.parquet")
    return path


@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("rows", [1, 150, 10_000])
def test_by_tasks_and_by_threads_it_is_the_sketch_of_all_rows(folder, rows, monkeypatch):
    monkeypatch.setattr(Table, "pieces", partialmethod(Table.pieces, rows))
    source = LocatedTable(locate(folder))
    whole = TableSketch.of(pa.concat_tables(list(source.table.batches())))
    schema = Schema.infer(source.schema, whole)
    for one in (source, source.on(present(local=True))):
        sketch, same = one.sketch(source.schema.names, Stage("sketch"))
        assert same.table is source.table
        assert sketch.to_dict() == whole.to_dict()
        assert Codec.fit(schema, sketch).to_dict() == Codec.fit(schema, whole).to_dict()


@pytest.mark.usefixtures("ray_session")
def test_files_are_looked_at_by_tasks_as_by_threads(table_folder, tmp_path):
    cluster = present(local=False)
    here, there = (located(str(table_folder), ReadOptions(), each) for each in (None, cluster))
    assert here.table == there.table
    assert here.fingerprint == there.fingerprint
    (tmp_path / "a.csv").write_text("a;b\n1;2,5\n")
    here, there = (located(str(tmp_path), ReadOptions(), each) for each in (None, cluster))
    assert here.described == there.described
    assert here.schema == pa.schema({"a": pa.int64(), "b": pa.float64()})


def test_a_task_knows_its_own_files_alone(tmp_path):
    for at in range(40):
        pq.write_table(pa.table({"a": [at]}), tmp_path / f"{at:02d}.parquet")
    table = locate(tmp_path)
    pieces = table.pieces()
    assert [piece.rows for piece in pieces] == [8] * 5
    own, piece = table.share(pieces[1])
    assert [file.path for file in own.files] == [file.path for file in table.files[8:16]]
    read = pa.concat_tables(list(own.batches(piece=piece)))
    assert read["a"].to_pylist() == list(range(8, 16))
    assert len({id(footer.schema) for footer in table.footers}) == 1
