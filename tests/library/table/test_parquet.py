"""Parquet as old and other writers leave it, and files that are no tables."""

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import TableError
from gtcoder.table.locate import locate

LATE = dt.datetime(9999, 12, 31, 23, 59, 59, 123_456)
EARLY = dt.datetime(1, 1, 1)
NOW = dt.datetime(2024, 1, 2, 3, 4, 5, 678_901)


def whole(table):
    return pa.concat_tables(list(table.batches()))


def write_int96(path, moments, **options):
    """INT96 as Spark writes it; Arrow's writer knows it too."""
    columns = {"at": pa.array(moments, pa.timestamp("us")), "n": list(range(len(moments)))}
    pq.write_table(pa.table(columns), path, use_deprecated_int96_timestamps=True, **options)


@pytest.mark.parametrize("moment", [LATE, EARLY, dt.datetime(2300, 1, 1), dt.datetime(1600, 1, 1)])
@pytest.mark.parametrize("size", [1, 500])
def test_int96_beyond_nanoseconds(tmp_path, moment, size):
    moments = [NOW, None] * size + [moment]
    write_int96(tmp_path / "t.parquet", moments, row_group_size=100)
    table = locate(tmp_path)
    assert table.schema.field("at").type == pa.timestamp("us")
    assert whole(table)["at"].to_pylist() == moments


def test_int96_within_nanoseconds_keeps_them(tmp_path):
    ticks = pa.array([1_704_164_645_678_901_234, None], pa.timestamp("ns"))
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"at": ticks}), path, use_deprecated_int96_timestamps=True)
    assert whole(locate(path))["at"].combine_chunks() == ticks


def test_int96_has_one_unit_in_all_files(tmp_path):
    for name, moment in (("1", NOW), ("2", LATE), ("3", NOW)):
        write_int96(tmp_path / f"{name}.parquet", [moment])
    assert whole(locate(tmp_path))["at"].to_pylist() == [NOW, LATE, NOW]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"x": [1]}, {"x": [2], "y": [3]}),
        ({"x": [1], "y": [3]}, {"x": [2]}),
        ({"x": [1], "y": ["a"]}, {"x": [2], "y": [3]}),
        ({"x": [1], "y": ["2024-01-01"]}, {"x": [2], "y": [1.5]}),
    ],
)
def test_files_need_not_agree_on_what_is_left_out(tmp_path, ending, one, two):
    for name, columns in (("1", one), ("2", two)):
        if ending == "csv":
            pa.csv.write_csv(pa.table(columns), tmp_path / f"{name}.csv")
        else:
            pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    with pytest.raises(TableError, match=r"column 'y' .*`exclude=\['y'\]`"):
        locate(tmp_path)
    table = locate(tmp_path, exclude=["y"])
    assert table.unread == ("y",)
    assert whole(table).to_pydict() == {"x": [1, 2]}


def test_what_is_left_out_stays_where_files_agree(tmp_path):
    for name in ("1", "2"):
        pq.write_table(pa.table({"x": [1], "y": [1]}), tmp_path / f"{name}.parquet")
    assert locate(tmp_path, exclude=["y", "z"]).schema.names == ["x", "y"]


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.float64()])
def test_twin_columns(tmp_path, kind):
    twins = pa.Table.from_arrays([pa.nulls(2, kind), pa.array([1, 2])], names=["a", "a"])
    pq.write_table(twins, tmp_path / "t.parquet")
    with pytest.raises(TableError, match="two columns named 'a'; rename one"):
        locate(tmp_path)


@pytest.mark.parametrize(
    ("name", "what", "cure"),
    [
        ("t.feather", "an Arrow", "read_feather"),
        ("t.arrow", "an Arrow", "read_feather"),
        ("t.jsonl", "JSON", "read_json"),
        ("t.JSON", "JSON", "read_json"),
        ("t.ndjson", "JSON", "read_json"),
        ("t.xlsx", "an Excel workbook", "save the sheet as CSV"),
        ("t.xls", "an Excel workbook", "save the sheet as CSV"),
        ("t.csv.zip", "an archive", "unpack"),
        ("t.orc", "ORC", "to_parquet"),
        ("t.sav", "SPSS", "to_parquet"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_other_formats_are_named_with_the_cure(tmp_path, name, what, cure, alone):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(TableError) as caught:
        locate(tmp_path / name if alone else tmp_path)
    said = str(caught.value)
    assert name in said
    assert what in said
    assert cure in said
    assert "\n" not in said
