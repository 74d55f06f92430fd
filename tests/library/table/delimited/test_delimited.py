"""CSV files of every make: the right values and types, or one line with the cure."""

import datetime as dt
import re

import pyarrow as pa
import pytest

from gtcoder.errors import TableError
from gtcoder.table.locate import locate

DAY, MOMENT = pa.date32(), pa.timestamp("s")
ROWS = 300


@pytest.fixture
def read(tmp_path):
    """A located table of one file, and all its rows."""

    def start(text, csv=None, name="t.csv", encoding="utf-8"):
        content = text if isinstance(text, bytes) else text.encode(encoding)
        (tmp_path / name).write_bytes(content)
        table = locate(tmp_path / name, csv=csv)
        return table, pa.concat_tables(list(table.batches()))

    return start


def column(values, sep=";"):
    """A file of one column of interest, in quotes where it holds the separator."""
    quoted = [f'"{value}"' if sep in value else value for value in values]
    return f"n{sep}x\n" + "".join(f"{at}{sep}{value}\n" for at, value in enumerate(quoted))


# The header


@pytest.mark.parametrize("sep", [",", ";", "\t", "|", "\x01"])
@pytest.mark.parametrize(
    ("header", "names"),
    [
        (
            ["nr", '"price, EUR; net|t"', '"amount, pcs"'],
            ["nr", "price, EUR; net|t", "amount, pcs"],
        ),
        (['"price\n(EUR)"', "a", "b"], ["price\n(EUR)", "a", "b"]),
        (['"price\r\n(EUR)"', '"say ""x"""', "b"], ["price\r\n(EUR)", 'say "x"', "b"]),
        (["a", "b", ""], ["a", "b", "column_3"]),
        (["größe", "b", "c"], ["größe", "b", "c"]),
    ],
)
def test_a_header_in_quotes(read, sep, header, names):
    rows = "".join(sep.join([str(i), f"{i * 1.5:.1f}", str(i % 3)]) + "\n" for i in range(ROWS))
    _, rows_read = read(sep.join(header) + "\n" + rows)
    assert rows_read.column_names == names
    assert rows_read.schema.types == [pa.int64(), pa.float64(), pa.int64()]
    assert rows_read[0].to_pylist() == list(range(ROWS))


@pytest.mark.parametrize("columns", [2, 3, 7])
@pytest.mark.parametrize("sep", [";", "\t", "|", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "before", ["sep={sep}", "# exported by tool", "#a, b; c\n# d", "", '"sep={sep}"'], ids=repr
)
def test_lines_before_the_header(read, before, sep, end, columns):
    lines = [before.format(sep=sep).replace("\n", end)]
    lines += [sep.join("abcdefg"[:columns])]
    lines += [sep.join([str(i)] * columns) for i in range(50)]
    table, rows = read(end.join(lines) + end)
    assert rows.column_names == list("abcdefg"[:columns])
    assert rows["b"].to_pylist() == list(range(50))
    assert table.csv.sep == sep


def test_a_header_that_begins_like_a_comment(read):
    _, rows = read("##fileformat=VCF\n#CHROM\tPOS\nchr1\t5\nchr2\t6\n")
    assert rows.to_pydict() == {"#CHROM": ["chr1", "chr2"], "POS": [5, 6]}


@pytest.mark.parametrize("mark", ["#", "%", "//"])
def test_comments_between_rows_can_be_said(read, mark):
    text = f"{mark} log\na,b\n1,2\n{mark} restart, again, and again\n3,4\n"
    _, rows = read(text, f"comment={mark}")
    assert rows.to_pydict() == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize("sep", [";", "\t", "|"])
def test_a_title_is_no_header(read, sep):
    text = f"Report 2024\n\nname{sep}amount\na{sep}1\nb{sep}2\n"
    with pytest.raises(TableError, match=r"row 2 of .* but the header has 1 .* skip="):
        read(text)
    _, rows = read(text, "skip=1")
    assert rows.to_pydict() == {"name": ["a", "b"], "amount": [1, 2]}


def test_one_column_of_text_with_commas(read):
    _, rows = read("said\nhello, world\nyes\nso, there\n")
    assert rows.to_pydict() == {"said": ["hello, world", "yes", "so, there"]}


@pytest.mark.parametrize("sep", [",", ";", "\t", "\x01"])
@pytest.mark.parametrize("row", [["17000", "x"], ["2024-01-02", "y"], ["1.5", "2.5"], ["a", "-7"]])
def test_files_without_a_header(read, sep, row):
    text = (sep.join(row) + "\n") * 5
    table, _ = read(text)
    assert "looks like a row; if it is one, name the columns with `csv='names=" in table.notes[-1]
    table, rows = read(text, {"names": ["p", "q"]})
    assert rows.column_names == ["p", "q"]
    assert (len(rows), table.notes) == (5, ())


@pytest.mark.parametrize("header", ["0,1", "2019,2020", "id,1.5", "a,b", "x,2024-01-01"])
def test_headers_of_numbers(read, header):
    table, rows = read(f"{header}\n5,6.5\n7,8.5\n")
    assert rows.column_names == header.split(",")
    assert table.notes == ()


@pytest.mark.parametrize("text", ['"a","b"', "a,b\n", "a;b\r\n\r\n", "#c\na\tb\n"], ids=repr)
def test_a_header_alone(read, text):
    with pytest.raises(TableError, match="the table has no rows"):
        read(text)


# Encodings


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("late", [0, 60_000])
@pytest.mark.parametrize(
    ("encoding", "word", "cure"),
    [("latin-1", "Köln", "latin-1"), ("cp1252", "5 €", "cp1252"), ("iso8859-15", "æ", "latin-1")],
)
def test_another_encoding_is_named_with_the_cure(
    read, monkeypatch, encoding, word, cure, late, sep
):
    monkeypatch.setattr("gtcoder.table.delimited.reader._BLOCK_BYTES", 1 << 16)
    text = f"ort{sep}v\n" + f"Ort{sep}1\n" * late + f"{word}{sep}2\n" * 3
    with pytest.raises(TableError, match=rf"t\.csv is not UTF-8: .*`csv='encoding={cure}'`$"):
        read(text, encoding=encoding)
    table, rows = read(text, f"encoding={encoding}", encoding=encoding)
    assert rows["ort"].to_pylist()[-3:] == [word] * 3
    assert table.schema.types == [pa.string(), pa.int64()]


def test_the_line_that_is_not_utf8_is_named(read, monkeypatch):
    monkeypatch.setattr("gtcoder.table.delimited.reader._BLOCK_BYTES", 1 << 16)
    text = "ort,v\n" + "Ort,1\n" * 100_000 + "Köln,3\n"
    with pytest.raises(TableError, match=r"^line 100,002 of .*t\.csv is not UTF-8: .* 0xf6; say"):
        read(text, encoding="latin-1")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_marks_of_encodings_at_the_beginning(read, encoding):
    table, rows = read("Größe;Zahl\nä;1,5\nö;2,5\n" * 1, encoding=encoding)
    assert rows.to_pydict() == {"Größe": ["ä", "ö"], "Zahl": [1.5, 2.5]}
    assert table.csv.decimal == ","


def test_utf_16_without_a_mark(read):
    with pytest.raises(TableError, match="`csv='encoding=utf-16-le'`"):
        read("Größe;Zahl\nä;1,5\n", encoding="utf-16-le")
    _, rows = read("Größe;Zahl\nä;1,5\n", "encoding=utf-16-le", encoding="utf-16-le")
    assert rows.to_pydict() == {"Größe": ["ä"], "Zahl": [1.5]}


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"PAR1....PAR1", "Parquet"), (b"PK\x03\x04xl/", "Excel"), (b"\x1f\x8b\x08\x00", "gzip")],
)
def test_another_kind_of_file_under_the_name_of_csv(read, content, what):
    with pytest.raises(TableError, match=rf"t\.csv is .*{what}.*; rename or convert it"):
        read(content)


# Numbers


@pytest.mark.parametrize("sep", [";", ",", "\t", "|"])
@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["3,14", "2,5", "10"], [3.14, 2.5, 10.0]),
        (["1.234,56", "0,5", "12"], [1234.56, 0.5, 12.0]),
        (["1,234.56", "0.5", "1,234,567"], [1234.56, 0.5, 1234567.0]),
        (["1'234.56", "0.5"], [1234.56, 0.5]),
        (["1 234,56", "7"], [1234.56, 7.0]),
        (["1\u202f234,5", "1\u00a0234,5"], None),
        (["1.234,56-", "12,00", "3-"], [-1234.56, 12.0, -3.0]),
        (["1.234.567", "1.234"], [1234567, 1234]),
        (["123-", "4"], [-123, 4]),
        ([" 1", "2 "], [1, 2]),
        ([" 1.5", "2 "], [1.5, 2.0]),
        (["1e5", "-2.5E-3"], [1e5, -0.0025]),
        (["inf", "-Infinity", "1.5"], [float("inf"), -float("inf"), 1.5]),
        (["+1.5", "-0.5"], [1.5, -0.5]),
        (["1,5", "1.5"], None),
        (["3,14", "x"], None),
        (["12.34,5", "1"], None),
    ],
)
def test_numbers(read, sep, texts, values):
    _, rows = read(column(texts * 100, sep))
    assert rows["x"].to_pylist() == (values or texts) * 100
    if values:
        assert rows.schema.field("x").type == (
            pa.int64() if isinstance(values[0], int) else pa.float64()
        )


@pytest.mark.parametrize(
    ("sep", "said", "value"),
    [
        (",", None, 1234),
        (";", None, 1.234),
        ("\t", None, "1,234"),
        ("|", None, "1,234"),
        (",", "decimal=,", 1.234),
        (";", "thousands=,", 1234),
        ("\t", "decimal=,", 1.234),
        ("\t", "thousands=,", 1234),
    ],
)
def test_a_comma_that_could_be_both(read, sep, said, value):
    table, rows = read(column(["1,234", "5,678"], sep), said)
    assert rows["x"][0].as_py() == value
    assert bool(table.notes) == (said is None)


def test_points_between_thousands_where_other_columns_show_it(read):
    _, rows = read("a;b;c\n1.234;5,5;1.234,5\n12.345;6,5;2\n")
    assert rows.to_pydict() == {"a": [1234, 12345], "b": [5.5, 6.5], "c": [1234.5, 2.0]}
    _, rows = read("a;b\n1.234;5,5\n12.345;6,5\n")  # nothing shows it: 1.234 stays what it says
    assert rows["a"].to_pylist() == [1.234, 12.345]


@pytest.mark.parametrize(
    "codes",
    [
        ["01067", "99999"],
        ["0049", "1"],
        ["0", "00"],
        ["+4917012345678", "+4917012345679"],
        ["0x1F", "0xA0"],
        ["12345678901234567890", "22345678901234567890"],
        ["-01", "5"],
        ["007.5", "1.5"],
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("late", [0, 40_000])
def test_codes_stay_text(read, monkeypatch, codes, quote, late):
    monkeypatch.setattr("gtcoder.table.delimited.reader._BLOCK_BYTES", 1 << 16)
    texts = codes[1:] * late + codes
    _, rows = read("x\n" + "".join(f"{quote}{text}{quote}\n" for text in texts))
    assert rows["x"].to_pylist() == texts


def test_zeros_that_are_no_codes(read):
    _, rows = read("a,b,c\n0,0.5,-0.5\n0,0,-0\n")
    assert rows.schema.types == [pa.int64(), pa.float64(), pa.float64()]


# Dates


@pytest.mark.parametrize("sep", [";", ",", "\t"])
@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["31.12.2024", "01.02.1999"], [dt.date(2024, 12, 31), dt.date(1999, 2, 1)]),
        (["1.2.2024", "3.4.2024"], [dt.date(2024, 2, 1), dt.date(2024, 4, 3)]),
        (["31/12/2024", "01/02/1999"], [dt.date(2024, 12, 31), dt.date(1999, 2, 1)]),
        (["12/31/2024", "01/02/1999"], [dt.date(2024, 12, 31), dt.date(1999, 1, 2)]),
        (["31-12-2024", "01-02-1999"], [dt.date(2024, 12, 31), dt.date(1999, 2, 1)]),
        (["2024/12/31", "2024/1/2"], [dt.date(2024, 12, 31), dt.date(2024, 1, 2)]),
        (["2024-12-31", "2024-1-2"], [dt.date(2024, 12, 31), dt.date(2024, 1, 2)]),
        (["01-JAN-24", "31-aug-62"], [dt.date(2024, 1, 1), dt.date(1962, 8, 31)]),
        (
            ["31.12.2024 23:59", "01.01.2025 00:00:01"],
            [dt.datetime(2024, 12, 31, 23, 59), dt.datetime(2025, 1, 1, 0, 0, 1)],
        ),
        (
            ["1/31/2024 1:05 PM", "1/1/2024 12:00 AM"],
            [dt.datetime(2024, 1, 31, 13, 5), dt.datetime(2024, 1, 1)],
        ),
        (
            ["31.12.2024", "01.01.2025 10:00"],
            [dt.datetime(2024, 12, 31), dt.datetime(2025, 1, 1, 10)],
        ),
        (["31.02.2024", "01.02.2024"], None),
        (["31/12/2024", "12/31/2024"], None),
        (["01/02/2024", "03/04/2024"], None),
        (["45-DEC-62", "01-JAN-24"], None),
        (["01-FOO-24", "01-JAN-24"], None),
        (["13/1/2024 13:05 PM", "1/1/2024 1:00 AM"], None),
    ],
)
def test_dates(read, sep, texts, values):
    _, rows = read(column(texts * 50, sep))
    assert rows["x"].to_pylist() == (values or texts) * 50


@pytest.mark.parametrize("mark", ["/", "-"])
def test_an_order_that_is_open_is_told_and_can_be_said_or_shown(read, mark):
    texts = [f"01{mark}02{mark}2024", f"03{mark}04{mark}2024"]
    table, rows = read(column(texts))
    assert rows["x"].to_pylist() == texts
    assert table.notes == (
        "column 'x': day and month could be either way round, so it stays text; say which with "
        "`csv='dates=dmy'` or dates=mdy",
    )
    for order, value in (("dmy", dt.date(2024, 2, 1)), ("mdy", dt.date(2024, 1, 2))):
        _, rows = read(column(texts), f"dates={order}")
        assert rows["x"][0].as_py() == value
    table, rows = read(f"a;b\n{texts[0]};31{mark}12{mark}2024\n")
    assert rows.to_pydict() == {"a": [dt.date(2024, 2, 1)], "b": [dt.date(2024, 12, 31)]}
    assert table.csv.dates == "dmy"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["9999-12-31 00:00:00.5", "2024-01-01 00:00:00"], pa.timestamp("us")),
        (["9999-12-31 00:00:00", "2024-01-01 00:00:00.123456789"], pa.string()),
        (["2024-01-01T10:00:00Z", "2024-01-01T10:00:00.5+02:00"], pa.timestamp("us", "UTC")),
        (["10:00", "23:59:59"], pa.time32("s")),
        (["25:00", "23:59"], pa.string()),
        (["true", "FALSE"], pa.bool_()),
        (["t", "f"], pa.string()),
    ],
)
def test_other_types(read, texts, kind):
    _, rows = read(column(texts))
    assert rows.schema.field("x").type == kind


# What means nothing


@pytest.mark.parametrize("sep", [";", ",", "\t"])
@pytest.mark.parametrize("word", ["NA", "null", "None", "NaN", "n/a"])
@pytest.mark.parametrize(
    ("others", "values"),
    [
        (["DE", "FR"], ["DE", "FR"]),
        (["1", "2"], [1, 2]),
        (["1.5", "2"], [1.5, 2.0]),
        (["1,5", "2"], [1.5, 2.0]),
        (["2024-01-02"], [dt.date(2024, 1, 2)]),
        (["31.12.2024"], [dt.date(2024, 12, 31)]),
        (["true"], [True]),
    ],
)
def test_null_words_are_words_among_words_only(read, sep, word, others, values):
    table, rows = read(column([*others, word], sep))
    text = isinstance(values[0], str)
    assert rows["x"].to_pylist() == [*values, word if text else None]
    assert bool(table.notes) == text
    _, rows = read(column([*others, word], sep), f"null={word}")
    assert rows["x"].to_pylist() == [*values, None]


@pytest.mark.parametrize(
    ("word", "other"), [("-", "5"), ("-999", "1"), ("?", "x"), ("k.A.", "2.5")]
)
def test_null_words_can_be_said(read, word, other):
    _, rows = read(column([word, other, f'"{word}"']), f"null={word}")
    assert rows["x"].is_null().to_pylist() == [True, False, True]


@pytest.mark.parametrize("late", [10_000, 50_000])
@pytest.mark.parametrize(("value", "kind"), [("7", pa.int64()), ("x", pa.string()), ("1,5", None)])
def test_a_long_beginning_of_nothing(read, monkeypatch, late, value, kind):
    monkeypatch.setattr("gtcoder.table.delimited.reader._BLOCK_BYTES", 1 << 18)
    _, rows = read("n;x\n" + "1;NA\n" * late + f"1;{value}\n")
    assert rows.schema.field("x").type == (kind or pa.float64())
    assert rows["x"].null_count == (0 if kind == pa.string() else late)


def test_empty_quotes_are_text_where_nothing_is_written_without_them(read):
    _, rows = read('a,b\n"",1\n,2\n"x",\n')
    assert rows["a"].to_pylist() == ["", None, "x"]
    _, rows = read('"a","b"\n"","1"\n"x",""\n')  # all is quoted: the quotes say nothing
    assert rows.to_pydict() == {"a": [None, "x"], "b": [1, None]}


def test_columns_that_stay_text(read):
    text = "zip,phone,v\n1,2,3\n4,,6\n"
    _, rows = read(text, "text=zip|phone")
    assert rows.to_pydict() == {"zip": ["1", "4"], "phone": ["2", None], "v": [3, 6]}
    with pytest.raises(TableError, match=r"text=zap'`: no such column .* there are zip, phone, v"):
        read(text, "text=zap")


# Rows


@pytest.mark.parametrize("before", [0, 5, 200_000])
@pytest.mark.parametrize(("row", "fields"), [("1", 1), ("1,2,3", 3), ("1,2,3,4,5", 5)])
def test_a_row_with_a_wrong_number_of_fields(read, before, row, fields):
    with pytest.raises(TableError) as caught:
        read("a,b\n" + "1,2\n" * before + f"{row}\n" + "1,2\n" * 5)
    said = str(caught.value)
    assert re.match(rf"row {before + 2:,} of .*t\.csv has {fields} fields, but the header", said)
    assert "has 2 between ','" in said
    assert "`csv=` what the file is like: sep=" in said
    assert "\n" not in said


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".csv.gz", ".csv.bz2", ".csv.zst"])
def test_endings(tmp_path, ending):
    content = b"a\tb\n1\tx\n\n2\ty\n"
    path = tmp_path / f"t{ending}"
    with (
        pa.CompressedOutputStream(path, {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}[ending[5:]])
        if (ending[5:])
        else path.open("wb") as out
    ):
        out.write(content)
    assert pa.concat_tables(locate(path).batches()).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


# Several files


def folder(tmp_path, *texts):
    for at, text in enumerate(texts):
        (tmp_path / f"part-{at}.csv").write_text(text)
    table = locate(tmp_path)
    return table, pa.concat_tables(list(table.batches()))


def test_files_settle_together(tmp_path):
    one = "zip,day,land,v,w\n10115,01/02/2024,NA,1,NA\n"
    two = "zip,day,land,v,w\n01067,31/01/2024,DE,1.5,2\n"
    _, rows = folder(tmp_path, one, two)
    assert rows.to_pydict() == {
        "zip": ["10115", "01067"],
        "day": [dt.date(2024, 2, 1), dt.date(2024, 1, 31)],
        "land": ["NA", "DE"],
        "v": [1.0, 1.5],
        "w": [None, 2],
    }


def test_empty_parts_are_nothing(tmp_path):
    _, rows = folder(tmp_path, "", "a,b\n1,x\n", "a,b\n", "\n")
    assert rows.to_pydict() == {"a": [1], "b": ["x"]}
