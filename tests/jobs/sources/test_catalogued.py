"""Real Delta and Iceberg tables as files: every row once, whatever the versions before had."""

import datetime as dt

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from gtcoder.errors import TableError
from gtcoder.table.locate import each_by_threads
from ray_jobs.sources.named import named_table

FIRST = pa.table(
    {
        "size": pa.array([1, 2, 3], pa.int64()),
        "place": ["x", "y z/=ü", None],
        "day": pa.array([dt.date(2024, 1, 1)] * 2 + [None]),
    }
)
SECOND = pa.table(
    {
        "size": pa.array([4], pa.int64()),
        "place": ["x"],
        "day": [dt.date(2024, 1, 2)],
        "late": [1.5],
    }
)
ALL = pa.concat_tables([FIRST, SECOND], promote_options="default")


def files(name):
    return named_table(name).files(each_by_threads)


def content(table):
    return pa.concat_tables(table.batches()).sort_by("size")


@pytest.fixture
def delta(tmp_path):
    """Partitioned by two columns; the second version has a column more."""
    path = str(tmp_path / "t")
    deltalake.write_deltalake(path, FIRST, partition_by=["place", "day"])
    deltalake.write_deltalake(path, SECOND, mode="append", schema_mode="merge")
    return path


@pytest.fixture
def iceberg(catalog, tmp_path):
    """As `delta`, partitioned by one of them."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.transforms import IdentityTransform
    from pyiceberg.types import DoubleType

    known = load_catalog(catalog)
    known.create_namespace_if_not_exists("lake")
    table = known.create_table(f"lake.{tmp_path.name}", FIRST.schema)
    with table.update_spec() as change:
        change.add_field("place", IdentityTransform(), "place")
    table.append(FIRST)
    with table.update_schema() as change:
        change.add_column("late", DoubleType())
    table.append(SECOND)
    return table


def test_partitions_and_late_columns_of_delta_come_back(delta):
    table = files(f"delta:{delta}")
    assert content(table).equals(ALL)
    assert table.rows == 4
    assert [file.path for file in table.files] == sorted(file.path for file in table.files)
    assert files(f"delta:{delta}").fingerprint == table.fingerprint
    deltalake.DeltaTable(delta).delete("size = 2")
    later = files(f"delta:{delta}")
    assert content(later)["size"].to_pylist() == [1, 3, 4]
    assert later.fingerprint != table.fingerprint


def test_partitions_and_late_columns_of_iceberg_come_back(iceberg, catalog):
    name = f"iceberg:{catalog}.{'.'.join(iceberg.name())}"
    assert content(files(name)).equals(ALL)
    iceberg.delete("size = 2")
    assert content(files(name)).equals(ALL.filter(pc.not_equal(ALL["size"], 2)))


def test_what_files_alone_do_not_say_is_refused_with_a_way_out(iceberg, catalog, tmp_path):
    for number, (setting, what) in enumerate(
        [
            ({"delta.enableDeletionVectors": "true"}, "deletionVectors"),
            ({"delta.columnMapping.mode": "name"}, "columnMapping"),
        ]
    ):
        path = str(tmp_path / f"{number}")
        deltalake.write_deltalake(path, FIRST, configuration=setting)
        with pytest.raises(TableError, match=rf"has {what}.* first, in Spark: spark\.read"):
            files(f"delta:{path}")
        with pytest.raises(TableError, match=rf"has {what}.*export it first"):
            named_table(f"delta:{path}").source()
    with iceberg.update_schema() as change:
        change.rename_column("late", "later")
    said = r"called 'late' and 'later'.*in Python: import ray\.data; ray\.data\.read_iceberg\("
    with pytest.raises(TableError, match=said):
        files(f"iceberg:{catalog}.{'.'.join(iceberg.name())}")


def test_a_table_without_rows_or_with_a_lost_file_is_one_line(delta):
    [path, *_] = sorted(deltalake.DeltaTable(delta).file_uris())
    with open(path, "wb"):
        pass
    with pytest.raises(TableError, match=r"part-.*\.parquet is not a readable parquet file"):
        files(f"delta:{delta}")
    deltalake.DeltaTable(delta).delete()
    with pytest.raises(TableError, match="the table has no rows"):
        files(f"delta:{delta}")
