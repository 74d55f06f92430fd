"""What pandas users hand over becomes a table, or says in one line what would."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gtcoder.errors import TableError
from gtcoder.table.memory import index_left_out, to_arrow

TABLE = pa.table({"a": [1, 2], "b": ["x", None]})


class Foreign:
    """A table of another library, known by Arrow's C stream alone."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_reader(),
        Foreign(TABLE),
        TABLE.to_pandas(),
        TABLE.to_pydict(),
        TABLE.to_pylist(),
        [{"a": 1, "b": "x"}, {"a": 2}],
    ],
    ids=lambda table: type(table).__name__,
)
def test_tables_by_other_names(table):
    assert to_arrow(table).to_pydict() == TABLE.to_pydict()


def test_names_are_text():
    frame = pd.DataFrame(
        [[1, 2, 3]], columns=pd.Index([1, None, pd.Timestamp("2024")], dtype=object)
    )
    assert to_arrow(frame).column_names == ["1", "None", "2024-01-01 00:00:00"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("a.csv", r"found where one is: read 'a.csv' with pd\.read_parquet or pd\.read_csv; the"),
        (Path("a.csv"), "found where one is: read 'a.csv' with"),
        (np.ones((3, 2)), r"found an array, .*: give pd\.DataFrame\(array, columns=\[\.\.\.\]\)"),
        ([[1, 2]], r"found rows .*: give pd\.DataFrame\(rows, columns="),
        (pd.Series([1, 2]), r"found one column: give series\.to_frame\(\)"),
        (pa.chunked_array([[1, 2]]), "expected a pandas DataFrame, .*; found ChunkedArray"),
        ({"a": 1}, "a list of dicts; found columns that make none: .*scalar"),
        ({"a": [1], "b": [1, 2]}, "found columns that make none: .*same length"),
        (None, "expected a pandas DataFrame, .*; found NoneType"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "column '1' is there twice; rename or drop"),
        (Foreign(pa.Table.from_arrays([[1], [2]], names=["a", "a"])), "column 'a' is there twice"),
        (
            pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")])),
            r"names have 2 levels; expected one: set df\.columns = ",
        ),
    ],
)  # fmt: skip
def test_what_is_no_table(table, message):
    with pytest.raises(TableError, match=message) as caught:
        to_arrow(table)
    assert "\n" not in str(caught.value)


def test_an_index_that_is_data_is_told():
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    assert index_left_out(frame) == ""
    assert index_left_out(frame[frame.a > 1]) == ""
    assert index_left_out(frame.rename_axis("index")) == ""
    assert "index 'a' is not learned; reset_index()" in index_left_out(frame.set_index("a"))
    assert "index 'a', 'b' is" in index_left_out(frame.set_index(["a", "b"]))
    assert "index is not learned" in index_left_out(frame.set_axis(["x", "y"]))
    assert index_left_out(TABLE) == ""
