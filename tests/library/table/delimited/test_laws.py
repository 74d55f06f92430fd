"""What is written in any usual manner is read back, guessed or said."""

import csv
import datetime as dt

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from gtcoder.table.locate import locate

ORDERS = {"dmy": "%d.%m.%Y", "mdy": "%m/%d/%Y", "iso": "%Y-%m-%d", "ymd": "%Y/%m/%d"}


def grouped(number, decimal, thousands):
    whole, _, part = f"{number:,.2f}".partition(".")
    return whole.replace(",", thousands) + decimal + part


@st.composite
def tables(draw):
    """A table, the manner in which it is written, and what is said of that."""
    rows = draw(st.integers(1, 12))
    decimal = draw(st.sampled_from([".", ","]))
    thousands = draw(st.sampled_from(["", "." if decimal == "," else ",", " ", "'"]))
    order = draw(st.sampled_from(list(ORDERS)))
    text = st.text("abcä\"'\n;,|\t -0.", max_size=8).map(lambda word: "w" + word)
    cents = st.integers(-(10**9), 10**9).map(lambda number: number / 100)
    kinds = {
        "whole": st.integers(-(2**40), 2**40),
        "real": cents,
        "day": st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)),
        "text": text,
        "code": st.from_regex(r"0[0-9]{4}", fullmatch=True),
        "flag": st.booleans(),
    }
    columns = {
        name: draw(st.lists(st.none() | kind, min_size=rows, max_size=rows))
        for name, kind in kinds.items()
    }
    return columns, decimal, thousands, order


def written(name, value, decimal, thousands, order):
    if value is None:
        return ""
    if name == "real":
        return grouped(value, decimal, thousands)
    if name == "day":
        return f"{value:{ORDERS[order]}}".rjust(10, "0")
    return str(value)


@settings(max_examples=150, deadline=None)
@given(
    table=tables(),
    sep=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "latin-1", "utf-16"]),
)
def test_what_is_written_is_read_back(tmp_path_factory, table, sep, quoting, end, encoding):
    columns, decimal, thousands, order = table
    path = tmp_path_factory.mktemp("law") / "t.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=sep, quoting=quoting, lineterminator=end)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            cells = zip(columns, row, strict=True)
            writer.writerow([written(n, v, decimal, thousands, order) for n, v in cells])
    said = {"sep": sep, "encoding": encoding, "decimal": decimal, "thousands": thousands}
    said |= {"dates": order} if order in ("dmy", "mdy") else {}
    read = pa.concat_tables(locate(path, csv=said).batches()).to_pydict()
    assert read == columns


@settings(max_examples=150, deadline=None)
@given(table=tables(), sep=st.sampled_from([";", "\t", "|"]))
def test_a_guess_changes_no_value(tmp_path_factory, table, sep):
    """Each value that is read is the one that was written, or its text where that was open."""
    columns, decimal, thousands, order = table
    path = tmp_path_factory.mktemp("law") / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=sep)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            cells = zip(columns, row, strict=True)
            writer.writerow([written(n, v, decimal, thousands, order) for n, v in cells])
    read = pa.concat_tables(locate(path).batches()).to_pydict()
    for name, values in columns.items():
        texts = [written(name, v, decimal, thousands, order) or None for v in values]
        assert read[name] in (values, texts)
