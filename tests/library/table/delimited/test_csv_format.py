"""What a user says of CSV files: every way to write it, and every mistake in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtcoder.errors import ConfigError
from gtcoder.table.delimited.csv_format import CsvFormat

ISSUE = CsvFormat(sep=";", decimal=",", encoding="latin-1", null=("NA", "-"))


@pytest.mark.parametrize(
    "said",
    [
        "sep=;,decimal=,encoding=latin-1,null=NA|-",
        "sep=;,decimal=,,encoding=latin-1,null=NA|-",
        "sep=; decimal=, encoding=latin-1 null=NA|-",
        " sep=semicolon, decimal=comma, encoding=LATIN-1, null=NA|- ",
        "null=NA|-,encoding=latin-1,sep=;,decimal=,",
        ["sep=;", "decimal=,", "encoding=latin-1", "null=NA|-"],
        ["sep=; encoding=latin-1", "null=NA|-,decimal=,"],
        {"sep": ";", "decimal": ",", "encoding": "latin-1", "null": ["NA", "-"]},
        ISSUE,
    ],
    ids=str,
)
def test_all_ways_to_say_the_same(said):
    assert CsvFormat.of(said) == ISSUE


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ("sep=,", "sep", ","),
        ("sep=,,decimal=.", "sep", ","),
        ("sep=tab", "sep", "\t"),
        (r"sep=\t,null=x", "sep", "\t"),
        (r"sep=\x01", "sep", "\x01"),
        ("sep=ctrl-a", "sep", "\x01"),
        ("sep=| decimal=.", "sep", "|"),
        ("thousands=. decimal=,", "thousands", "."),
        ("decimal=, thousands=.", "decimal", ","),
        ("thousands=space", "thousands", " "),
        ("thousands=none", "thousands", ""),
        ("text=zip code|phone, sep=;", "text", ("zip code", "phone")),
        ("text=a, b|c,sep=;", "text", ("a, b", "c")),
        ("null=-999|\\N", "null", ("-999", "\\N")),
        ("dates=DMY", "dates", "dmy"),
        ("comment=#", "comment", "#"),
        ("quote='", "quote", "'"),
        ("quote=none", "quote", ""),
        ("skip=2", "skip", 2),
        ("names=a|b c|d,sep=;", "names", ("a", "b c", "d")),
    ],
)
def test_each_setting(said, name, value):
    assert getattr(CsvFormat.of(said), name) == value


@pytest.mark.parametrize("said", [None, [], {}])
def test_nothing_said(said):
    assert CsvFormat.of(said) is None


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("", "expected sep, quote"),
        (";", "e.g. `csv='sep=;"),
        ("seperator=;", "expected sep, quote"),
        ("sep=;,colour=red", "no setting 'colour'"),
        ("null=NA,foo=1", "no setting 'foo'"),
        ("sep=ab", "expected one character"),
        ("sep=", "expected a value"),
        ("decimal=x", r"expected \. or ,"),
        ("decimal=. thousands=.", "cannot be both"),
        ("dates=mixed", "expected dmy, mdy, ymd"),
        ("encoding=klingon", "no such encoding"),
        ("skip=many", "expected a number of lines"),
        ("skip=-1", "expected a number of lines"),
        ({"colour": 1}, "no setting 'colour'"),
    ],
)
def test_a_mistake_is_one_line(said, message):
    with pytest.raises(ConfigError, match=message) as caught:
        CsvFormat.of(said)
    assert "\n" not in str(caught.value)


words = st.text("abcNA-_ ", min_size=1).map(str.strip).filter(bool)


@given(
    st.builds(
        CsvFormat,
        sep=st.sampled_from([None, ",", ";", "\t", "|", "\x01", " "]),
        quote=st.sampled_from([None, '"', "'", ""]),
        decimal=st.sampled_from([None, ".", ","]),
        thousands=st.sampled_from([None, "", "'", " "]),
        dates=st.sampled_from([None, "dmy", "mdy", "ymd"]),
        encoding=st.sampled_from([None, "utf-8", "latin-1"]),
        null=st.none() | st.lists(words, min_size=1).map(tuple),
        text=st.lists(words).map(tuple),
        skip=st.none() | st.integers(0, 9),
    )
)
def test_what_is_written_is_read_back(said):
    if str(said):
        assert CsvFormat.of(str(said)) == said
