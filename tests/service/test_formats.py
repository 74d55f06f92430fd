"""Every format gives the rows back, for every type of column, in one piece or in several."""

import datetime as dt
import io
import json
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serve.formats import ARROW, CSV, JSON, NDJSON, PARQUET, WRITERS, chosen, to_table

NOON = dt.datetime(2013, 6, 15, 12, 30, 5)
TABLE = pa.table(
    {
        "text": ['a "b"\n', None, "é\\,x"],
        "word": pa.array(["x", "y", None]).dictionary_encode(),
        "whole": pa.array([1, None, 2**62], pa.int64()),
        "real": [0.1, None, 1e300],
        "single": pa.array([0.5, 2.0, None], pa.float32()),
        "price": pa.array([Decimal("1.50"), None, Decimal("-3.25")]),
        "flag": [True, False, None],
        "day": pa.array([dt.date(2013, 6, 30), None, dt.date(1969, 1, 1)]),
        "at": pa.array([NOON, None, NOON], pa.timestamp("us")),
        "zoned": pa.array([NOON, None, NOON], pa.timestamp("ms", "UTC")),
        "clock": pa.array([dt.time(1, 2, 3), None, dt.time(23, 0)], pa.time32("s")),
        "spell": pa.array([dt.timedelta(seconds=90), None, dt.timedelta()], pa.duration("s")),
        "blob": pa.array([b"\x00\xff", None, b""], pa.binary()),
        "nothing": pa.nulls(3),
    }
)


def body(media, pieces):
    writer = WRITERS[media](TABLE.schema)
    return b"".join([writer.rows(piece) for piece in pieces] + [writer.end()])


@pytest.fixture(params=[[3], [1, 2], [0, 1, 1, 1]], ids=str)
def pieces(request):
    ends = np.cumsum([0, *request.param])
    return [TABLE.slice(a, b - a) for a, b in pairwise(ends)]


def test_arrow_and_parquet_are_the_same_table(pieces):
    assert pa.ipc.open_stream(body(ARROW, pieces)).read_all().equals(TABLE)
    read = pq.read_table(io.BytesIO(body(PARQUET, pieces)))
    assert read.cast(TABLE.schema).equals(TABLE)  # Parquet counts no time in seconds


def test_json_holds_the_values(pieces):
    records = json.loads(body(JSON, pieces))
    assert records == [json.loads(line) for line in body(NDJSON, pieces).splitlines()]
    first, second, third = records
    assert set(second.values()) == {None, "y", 2.0, False}
    for name in ("text", "word", "whole", "real", "single", "flag"):
        assert [row[name] for row in records] == TABLE[name].to_pylist()
    assert (first["price"], third["price"]) == (1.5, -3.25)
    assert (first["day"], first["clock"], first["spell"]) == ("2013-06-30", "01:02:03", "90")
    assert dt.datetime.fromisoformat(first["at"]) == NOON
    assert dt.datetime.fromisoformat(first["zoned"]) == NOON.replace(tzinfo=dt.UTC)
    assert first["blob"] == "00ff"
    assert to_table(records, TABLE.schema).equals(TABLE)


def test_csv_is_read_back_by_pandas(pieces):
    read = pd.read_csv(io.BytesIO(body(CSV, pieces)), dtype_backend="pyarrow")
    assert list(read.columns) == TABLE.column_names
    assert read["text"].tolist()[0] == 'a "b"\n'
    assert read["whole"].tolist() == [1, pd.NA, 2**62]
    assert read["spell"].tolist()[0] == 90
    assert read["price"].tolist()[0] == 1.5
    assert pd.to_datetime(read["at"])[0] == NOON


def test_numbers_that_json_has_no_word_for():
    table = pa.table({"x": [np.nan, np.inf, 1.0]})
    writer = WRITERS[JSON](table.schema)
    assert json.loads(writer.rows(table) + writer.end()) == [{"x": None}, {"x": None}, {"x": 1.0}]


@pytest.mark.parametrize("media", WRITERS)
def test_no_rows_make_a_whole_body(media):
    nothing = body(media, [])
    if media == JSON:
        assert json.loads(nothing) == []
    if media == CSV:
        assert list(pd.read_csv(io.BytesIO(nothing)).columns) == TABLE.column_names
    if media == PARQUET:
        assert pq.read_table(io.BytesIO(nothing)).schema.names == TABLE.schema.names


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("text/*", CSV),
        ("application/json;q=0.1, text/csv", CSV),
        ("text/csv;q=0.5, application/x-ndjson", NDJSON),
        ("*/*;q=0.1, application/vnd.apache.parquet", PARQUET),
        ("application/json;q=0, */*", NDJSON),
        ("application/json;q=nonsense", None),
        ("image/png", None),
        ("", JSON),
    ],
)
def test_accept_chooses(accept, media):
    assert chosen(accept, list(WRITERS)) == media


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"colour": "red"}, "no column 'colour'; there are: text"),
        ({"whole": "many"}, "column 'whole': expected values of type int64"),
        ({"day": "yesterday"}, "column 'day': expected values of type date32"),
        ({"real": [1]}, "column 'real'"),
        ({"whole": 2**80}, "column 'whole'"),
        ({"blob": "no hex"}, "column 'blob': expected values of type binary"),
        ({"whole": 5.5}, "column 'whole': expected values of type int64"),
        ({"whole": "5.5"}, "column 'whole': expected values of type int64"),
        ({"whole": "9" * 20}, "column 'whole'"),
        ({"flag": "perhaps"}, "column 'flag': expected values of type bool"),
    ],
)
def test_records_that_do_not_fit(row, message):
    with pytest.raises(ValueError, match=message):
        to_table([row], TABLE.schema)


def test_the_row_whose_value_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"'whole'.* row 3"):
        to_table([{"whole": 1}, {}, {"whole": "many"}, {"whole": "more"}], TABLE.schema)


def test_numbers_may_be_texts_of_which_each_digit_counts():
    texts = ["9007199254740993", " -5.0 ", "+3", None, 2**62]
    rows = [{"whole": text, "real": "0.1", "flag": "False"} for text in texts]
    table = to_table(rows, TABLE.schema)
    assert table["whole"].to_pylist() == [9007199254740993, -5, 3, None, 2**62]
    assert table["real"].to_pylist() == [0.1] * 5
    assert table["flag"].to_pylist() == [False] * 5


VIEWS = {
    "text": (pa.string_view(), ["a", None, "b"], ["a", None, "b"]),
    "large text": (pa.large_string(), ["a", None, "é"], ["a", None, "é"]),
    "bytes": (pa.binary_view(), [b"\x00\xff", None, b"a"], ["00ff", None, "61"]),
    "large bytes": (pa.large_binary(), [b"\x00\xff", None, b"a"], ["00ff", None, "61"]),
}


@pytest.mark.parametrize("layout", VIEWS)
@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("size", [1, 300])
def test_every_layout_of_text_and_bytes(layout, coded, size):
    kind, values, texts = VIEWS[layout]
    array = pa.array(values * size, kind)
    if coded:
        places = pa.array([0, None, 1] * size, pa.int8())
        array = pa.DictionaryArray.from_arrays(places, pa.array([values[0], values[2]], kind))
    table = pa.table({"x": array, "n": list(range(3 * size))})
    written = {}
    for media, writer in WRITERS.items():
        begun = writer(table.schema)
        pieces = [begun.rows(table.slice(0, 1)), begun.rows(table.slice(1)), begun.end()]
        written[media] = b"".join(pieces)
    assert [row["x"] for row in json.loads(written[JSON])] == texts * size
    assert [json.loads(line)["x"] for line in written[NDJSON].splitlines()] == texts * size
    read = pd.read_csv(io.BytesIO(written[CSV]), dtype=str).x
    assert [None if word is pd.NA or word != word else word for word in read] == texts * size
    assert pq.read_table(io.BytesIO(written[PARQUET]))["x"].to_pylist() == values * size
    assert pa.ipc.open_stream(written[ARROW]).read_all()["x"].to_pylist() == values * size
