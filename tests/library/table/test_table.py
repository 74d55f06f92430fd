"""Every way a table can lie about, and every way it can be broken."""

import datetime
import re

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import TableError
from gtcoder.table.locate import locate
from gtcoder.table.unify import unify


def write(path, table, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


def whole(table, columns=None):
    return pa.concat_tables(list(table.batches(columns)))


@pytest.fixture
def rows():
    return pa.table({"a": pa.array([1, 2, None], pa.int64()), "b": ["x", None, "z"]})


def test_one_file(tmp_path, rows):
    write(tmp_path / "t.parquet", rows)
    table = locate(tmp_path / "t.parquet")
    assert table.rows == 3
    assert table.schema == rows.schema
    assert whole(table) == rows
    assert whole(table, ["b"]) == rows.select(["b"])


def test_relative_paths_hold_in_any_working_directory(tmp_path, rows, monkeypatch):
    write(tmp_path / "t.parquet", rows)
    monkeypatch.chdir(tmp_path)
    table = locate("t.parquet")
    monkeypatch.chdir("/")
    assert whole(table) == rows


def test_hive_partitions_become_columns(tmp_path, rows):
    for month in ("01", "12"):
        for day in ("2013-01-31", "__HIVE_DEFAULT_PARTITION__"):
            write(tmp_path / f"month={month}/day={day}/at=New%20York/p.parquet", rows)
    write(tmp_path / "_scratch/p.parquet", pa.table({"other": [1]}))
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden.parquet").write_bytes(b"not Parquet")
    table = locate(tmp_path)
    assert table.schema.names == ["a", "b", "month", "day", "at"]
    assert table.schema.types[2:] == [pa.int32(), pa.date32(), pa.string()]
    read = whole(table)
    assert read["month"].to_pylist() == [1] * 6 + [12] * 6
    assert read["day"].to_pylist()[:6] == [datetime.date(2013, 1, 31)] * 3 + [None] * 3
    assert set(read["at"].to_pylist()) == {"New York"}
    assert whole(table, ["month"])["month"].to_pylist() == [1] * 6 + [12] * 6


def test_glob_takes_its_partitions_from_below_the_first_wildcard(tmp_path, rows):
    for month in (1, 2, 11):
        write(tmp_path / f"year=2013/month={month}/p.parquet", rows)
    table = locate(tmp_path / "year=2013" / "month=1*" / "*.parquet")
    assert table.partitions.names == ["month"]
    assert set(whole(table)["month"].to_pylist()) == {1, 11}
    assert locate(tmp_path / "year=2013" / "month=[12]").rows == 6


def test_a_files_own_column_wins_over_its_folder(tmp_path, rows):
    write(tmp_path / "a=9/p.parquet", rows)
    assert whole(locate(tmp_path)) == rows


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int8(), pa.uint8(), pa.int16()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.null(), pa.string(), pa.string()),
        (pa.null(), pa.string_view(), pa.string_view()),
        (pa.null(), pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.string())),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.string(), pa.string_view(), pa.string()),
        (pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.string()),
        (
            pa.dictionary(pa.int8(), pa.string()),
            pa.dictionary(pa.int32(), pa.string()),
            pa.dictionary(pa.int32(), pa.string()),
        ),
        (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.decimal128(5, 2), pa.decimal128(9, 3), pa.decimal128(9, 3)),
        (pa.int64(), pa.string(), None),
        (pa.bool_(), pa.int64(), None),
        (pa.string(), pa.binary(), None),
        (pa.float64(), pa.decimal128(5, 2), None),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), None),
        (pa.timestamp("us", "UTC"), pa.timestamp("us", "Europe/Paris"), None),
        (pa.dictionary(pa.int8(), pa.string()), pa.int64(), None),
    ],
    ids=str,
)
def test_types_that_differ_between_partitions(tmp_path, one, other, expected):
    for name, kind in (("1", one), ("2", other)):
        write(tmp_path / f"p{name}.parquet", pa.table({"x": pa.nulls(2, kind)}))
    if expected is None:
        with pytest.raises(TableError) as caught:
            locate(tmp_path)
        for word in ("'x'", "p1.parquet", "p2.parquet", str(one), str(other)):
            assert word in str(caught.value)
        return
    table = locate(tmp_path)
    assert table.schema.field("x").type == expected
    assert whole(table).schema == table.schema


def test_a_dictionary_and_its_text_keep_their_values(tmp_path):
    text = pa.array(["u", "v", None, "u"])
    write(tmp_path / "1.parquet", pa.table({"x": text.dictionary_encode()}))
    write(tmp_path / "2.parquet", pa.table({"x": text}))
    assert whole(locate(tmp_path))["x"].to_pylist() == text.to_pylist() * 2


def test_nullable_if_any_file_is(tmp_path):
    for name, nullable in (("1", False), ("2", True)):
        schema = pa.schema([pa.field("x", pa.int64(), nullable=nullable)])
        write(tmp_path / f"{name}.parquet", pa.table({"x": [1]}, schema=schema))
    assert locate(tmp_path).schema.field("x").nullable
    assert not locate(tmp_path / "1.parquet").schema.field("x").nullable


def test_columns_in_another_order(tmp_path, rows):
    write(tmp_path / "1.parquet", rows)
    write(tmp_path / "2.parquet", rows.select(["b", "a"]))
    assert whole(locate(tmp_path)) == pa.concat_tables([rows, rows])


def test_pieces_cover_every_row_once(tmp_path):
    for index in range(3):
        values = pa.table({"x": list(range(1000 * index, 1000 * index + 1000))})
        write(tmp_path / f"{index}.parquet", values, row_group_size=300)
    table = locate(tmp_path)
    for size in (1, 500, 1500, 10_000):
        pieces = table.pieces(size)
        seen = [x for p in pieces for b in table.batches(piece=p, rows=70) for x in b["x"]]
        assert [x.as_py() for x in seen] == list(range(3000))
        assert [p.rows for p in pieces] == [
            sum(len(b) for b in table.batches(piece=p)) for p in pieces
        ]
        assert all(p.rows <= max(size, 300) for p in pieces)
    assert max(len(b) for b in table.batches(rows=70)) <= 70


def test_fingerprint_follows_the_files(tmp_path, rows):
    write(tmp_path / "1.parquet", rows)
    before = locate(tmp_path).fingerprint
    assert locate(tmp_path).fingerprint == before
    write(tmp_path / "2.parquet", rows)
    assert locate(tmp_path).fingerprint != before


def test_csv(tmp_path):
    (tmp_path / "t.csv").write_text("a;b;c\n1;x;2013-01-02\n;;2013-01-03\n3;NA;\n")
    table = locate(tmp_path)
    assert table.schema == pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.date32())])
    assert whole(table).to_pydict() == {
        "a": [1, None, 3],
        "b": ["x", None, "NA"],
        "c": [datetime.date(2013, 1, 2), datetime.date(2013, 1, 3), None],
    }
    assert whole(table, ["c", "a"]).schema.names == ["c", "a"]


@pytest.mark.parametrize(
    ("first", "late", "expected"),
    [
        ("1", "x", pa.string()),
        ("1", "1.5", pa.float64()),
        ("1", "12345678901234567890123", pa.float64()),
        ("1", "true", pa.string()),
        ("", "7", pa.int64()),
        ("", "2013-01-02", pa.date32()),
        ("2013-01-02", "2013-01-02 10:00:00", pa.timestamp("s")),
        ("2013-01-02 10:00:00", "2013-01-02 10:00:00.25", pa.timestamp("us")),
        ("2013-01-02 10:00:00", "2013-01-02 10:00:00.250000001", pa.timestamp("ns")),
        ("2013-01-02", "then", pa.string()),
        ("1.5", 'a "quoted", one\nover lines', pa.string()),
    ],
)
def test_csv_types_hold_to_the_last_row(tmp_path, monkeypatch, first, late, expected):
    monkeypatch.setattr("gtcoder.table.delimited.reader._BLOCK_BYTES", 4096)
    quoted = late.replace('"', '""')
    (tmp_path / "t.csv").write_text("n,x\n" + f"0,{first}\n" * 5000 + f'0,"{quoted}"\n')
    table = locate(tmp_path / "t.csv")
    assert table.schema.field("x").type == expected
    assert whole(table).num_rows == table.rows == 5001


def test_csv_compressed_and_partitioned(tmp_path):
    for month in (1, 2):
        (tmp_path / f"month={month}").mkdir()
        with pa.CompressedOutputStream(str(tmp_path / f"month={month}/t.csv.gz"), "gzip") as out:
            out.write(b"x\n1\n2\n")
    read = whole(locate(tmp_path))
    assert read.to_pydict() == {"x": [1, 2, 1, 2], "month": [1, 1, 2, 2]}


def broken(tmp_path, what):
    good = pa.table({"x": [1]})
    if what == "missing":
        return tmp_path / "nowhere"
    if what == "missing glob":
        return tmp_path / "*.parquet"
    if what == "no rows":
        write(tmp_path / "t.parquet", good.slice(0, 0))
    if what == "no columns":
        write(tmp_path / "t.parquet", pa.table({"x": [1]}).select([]))
    if what == "foreign":
        (tmp_path / "t.parquet").write_bytes(b"certainly not Parquet")
    if what == "truncated":
        write(tmp_path / "t.parquet", good)
        content = (tmp_path / "t.parquet").read_bytes()
        (tmp_path / "t.parquet").write_bytes(content[: len(content) // 2])
    if what == "empty file":
        (tmp_path / "t.parquet").touch()
    if what == "empty csv":
        (tmp_path / "t.csv").touch()
    if what == "header only":
        (tmp_path / "t.csv").write_text("x,y\n")
    if what == "ragged csv":
        (tmp_path / "t.csv").write_text("x,y\n1,2\n3\n")
    if what == "csv twins":
        (tmp_path / "t.csv").write_text("x,x\n1,2\n")
    if what == "csv types":
        (tmp_path / "1.csv").write_text("x\n1\n")
        (tmp_path / "2.csv").write_text("x\nn/k\n")
    if what == "mixed":
        write(tmp_path / "t.parquet", good)
        (tmp_path / "t.csv").write_text("x\n1\n")
    if what == "other ending":
        write(tmp_path / "t.parquet", good)
        (tmp_path / "README.md").write_text("about")
    if what == "column missing":
        write(tmp_path / "1.parquet", pa.table({"x": [1], "y": [1]}))
        write(tmp_path / "2.parquet", good)
    if what == "column new":
        write(tmp_path / "1.parquet", good)
        write(tmp_path / "2.parquet", pa.table({"x": [1], "y": [1]}))
    if what == "keys differ":
        write(tmp_path / "m=1/t.parquet", good)
        write(tmp_path / "t.parquet", good)
    return tmp_path


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", r"^no table: .*/nowhere: no such file or folder$"),
        (
            "missing glob",
            r"\*\.parquet: no Parquet or CSV file there; name a file, folder or glob of them$",
        ),
        ("nothing in it", r"no Parquet or CSV file there; name a file, folder or glob of them$"),
        ("no rows", r"the table has no rows$"),
        ("no columns", r"the table has no columns$"),
        ("foreign", r"t\.parquet is not a readable parquet file: Parquet magic bytes not found"),
        ("truncated", r"t\.parquet is not a readable parquet file: "),
        ("empty file", r"t\.parquet is not a readable parquet file: "),
        ("empty csv", r"t\.csv is not a readable csv file: Empty CSV file"),
        ("header only", r"the table has no rows$"),
        (
            "ragged csv",
            r"^row 3 of .*t\.csv has 1 fields, but the header has 2 between ','; .* `csv=` .*sep=",
        ),
        ("csv twins", r"t\.csv has two columns named 'x'; rename one$"),
        ("csv types", r"column 'x' has type int64 in .*1\.csv but string in .*2\.csv"),
        ("mixed", r"one table in two formats: .*t\.csv and .*t\.parquet; .* glob"),
        ("other ending", r"README\.md is neither Parquet nor CSV by its ending .* glob"),
        (
            "column missing",
            r"column 'y' of .*1\.parquet is missing from .*2\.parquet; .*`exclude=\['y'\]`",
        ),
        (
            "column new",
            r"column 'y' of .*2\.parquet is missing from .*1\.parquet; .*`exclude=\['y'\]`",
        ),
        (
            "keys differ",
            r"partition folders differ: .*\['m'\].*t\.parquet has none; name those that belong",
        ),
    ],
)
def test_broken_tables_are_one_clear_line(tmp_path, what, message):
    with pytest.raises(TableError, match=message) as caught:
        locate(broken(tmp_path, what))
    assert "\n" not in str(caught.value)


def test_unknown_column_and_damage_within(tmp_path, rows):
    write(tmp_path / "t.parquet", pa.concat_tables([rows] * 4000), use_dictionary=False)
    table = locate(tmp_path)
    with pytest.raises(TableError, match=r"no column 'c' in .*; there are a, b"):
        list(table.batches(["c"]))
    content = bytearray((tmp_path / "t.parquet").read_bytes())
    content[40:400] = b"\xff" * 360
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(TableError, match=r"t\.parquet is not a readable parquet file"):
        list(table.batches())


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    """A thousand files, four of them bad, each in its own way."""
    folder = tmp_path_factory.mktemp("thousand")
    for number in range(1_000):
        pq.write_table(pa.table({"a": [number, 1]}), folder / f"{number:03d}.parquet")
    whole = (folder / "004.parquet").read_bytes()
    (folder / "004.parquet").write_bytes(whole[:-40])
    (folder / "500.parquet").write_bytes(b"")
    pq.write_table(pa.table({"a": ["x"]}), folder / "000.parquet")
    (folder / "999.parquet").unlink()
    (folder / "999.parquet").symlink_to(folder / "gone.parquet")
    return folder


def test_one_unreadable_among_a_thousand_is_named(thousand):
    with pytest.raises(TableError, match=r"004\.parquet is not a readable parquet file"):
        locate(thousand)


def test_bad_files_are_skipped_if_that_is_wanted(thousand):
    table = locate(thousand, skip_bad_files=True)
    assert table.rows == 2 * 996
    assert [path[-11:] for path in sorted(table.skipped)] == [
        "000.parquet", "004.parquet", "500.parquet", "999.parquet",
    ]  # fmt: skip
    for path, why in table.skipped.items():
        assert path in why
    assert whole(table)["a"].to_pylist()[:4] == [1, 1, 2, 1]


def test_a_table_of_nothing_but_bad_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_bytes(b"not Parquet")
    with pytest.raises(TableError, match=r"a\.parquet is not a readable parquet file"):
        locate(tmp_path, skip_bad_files=True)


def test_a_table_without_some_of_its_files(tmp_path, rows):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.parquet", rows)
    table = locate(tmp_path)
    assert table.without({str(tmp_path / "a.parquet"): "damaged"}).rows == 3
    with pytest.raises(TableError, match="no row is left without the bad files; damaged"):
        table.without({file.path: "damaged" for file in table.files})


def test_unify_names_the_file_that_set_the_type():
    schemas = [(n, pa.schema([("x", t)])) for n, t in (("1", pa.null()), ("2", pa.int64()))]
    with pytest.raises(TableError, match=re.escape("type int64 in 2 but string in 3")):
        unify([*schemas, ("3", pa.schema([("x", pa.string())]))])
