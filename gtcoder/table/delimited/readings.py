"""The ways in which a column of text can be read, each as kernels that are strict on every value.

A family is a chain of such ways: what fits one fits all after it (whole numbers are real ones).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

ALWAYS_NULL = ("", r"\N", "#N/A", "#N/A N/A", "<NA>", "__HIVE_DEFAULT_PARTITION__")
"""What is never a word of the data, unless it stands in quotes."""
NULL_WORDS = (
    *ALWAYS_NULL,
    *("NA", "N/A", "n/a", "na", "NULL", "null", "NaN", "nan", "-NaN", "-nan", "None", "none"),
    *(
        "#NA",
        "1.#QNAN",
        "-1.#QNAN",
        "1.#IND",
        "-1.#IND",
        "#NULL!",
        "#VALUE!",
        "#DIV/0!",
        "#REF!",
        "#NUM!",
    ),
)
"""What is no number and no date, and so means that there is none."""
_NO_DATE = ("0000-00-00", "0000-00-00 00:00:00", "00.00.0000", "00/00/0000")
"""MySQL's and SAP's dates that are none."""
_SAMPLE = 1000
"""Values that tell whether many are equal."""
_MONTHS = pa.array(
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read text."""

    family: str
    type: pa.DataType


NOTHING = Reading("nothing", pa.null())
"""Of a column without values."""


@dataclass(frozen=True, slots=True)
class Family:
    """A chain of readings, each wider than the one before."""

    name: str
    types: tuple[pa.DataType, ...]
    pattern: re.Pattern[str]
    """What each value looks like: a quick look at a few, the kernels see them all."""
    parse: Callable[[pa.Array, pa.DataType], pa.Array]
    decimal: str = ""
    thousands: str = ""
    order: str = ""
    """Of day, month and year."""

    @property
    def is_number(self) -> bool:
        """Whether it reads numbers."""
        return bool(self.decimal)


def parsed(reading: Reading, texts: pa.Array, nulls: pa.Array | None = None) -> pa.Array:
    """The values of text, null where it is a null word.

    Args:
        reading: how to read it.
        texts: the text.
        nulls: more null words, of all columns.

    Raises:
        pyarrow.ArrowInvalid: a value cannot be read so.
    """
    if reading == NOTHING:
        return pa.nulls(len(texts))
    family = FAMILIES[reading.family]
    if nulls is not None and len(nulls):
        texts = blanked(texts, nulls)
    try:
        return family.parse(texts, reading.type)
    except pa.ArrowInvalid:
        words = NO_VALUES if family.order else _NULLS
        bare = blanked(texts, words)
        if bare.null_count > texts.null_count:
            try:
                return family.parse(bare, reading.type)
            except pa.ArrowInvalid:
                pass
        trimmed = blanked(pc.utf8_trim_whitespace(bare), words)
        if trimmed.equals(bare):
            raise
        return family.parse(trimmed, reading.type)


def blanked(texts: pa.Array, words: pa.Array) -> pa.Array:
    """The text, null where it is one of some words."""
    found = pc.is_in(texts, value_set=words)
    return pc.if_else(found, None, texts) if found.true_count else texts


_NULLS = pa.array(NULL_WORDS)
NO_VALUES = pa.array([*NULL_WORDS, *_NO_DATE])
"""What is no value where dates may stand."""


def is_code(values: pa.Array) -> bool:
    """Whether a value's digits are a code: leading zeros, `+49…`, more digits than numbers have."""
    zeros = pc.or_(pc.starts_with(values, "0"), pc.starts_with(values, "-0"))
    if zeros.true_count and _some(values.filter(zeros), r"^\s*-?0[0-9xX]"):
        return True
    plus = pc.starts_with(values, "+")
    if plus.true_count and _some(values.filter(plus), r"^\+[0-9 ]{7,}$"):
        return True
    shortest = pc.min(pc.binary_length(values)).as_py() or 0
    return shortest > 18 and not _some(values, r"[^0-9]")


def _some(values: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, pattern)).as_py())


def _distinct(
    parse: Callable[[pa.Array, pa.DataType], pa.Array],
) -> Callable[[pa.Array, pa.DataType], pa.Array]:
    """The same, by a pass over the distinct values where few are: patterns are slow."""

    def by_distinct(texts: pa.Array, kind: pa.DataType) -> pa.Array:
        head = texts.slice(0, _SAMPLE)
        if 2 * pc.count_distinct(head).as_py() > len(head):
            return parse(texts, kind)
        coded = texts.dictionary_encode()
        return parse(coded.dictionary, kind).take(coded.indices)

    return by_distinct


def _all_match(texts: pa.Array, pattern: str) -> None:
    if pc.all(pc.match_substring_regex(texts, pattern)).as_py() is False:
        raise pa.ArrowInvalid("a value of another shape")


def _boolean(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    _all_match(texts, "^(?:true|false|True|False|TRUE|FALSE)$")
    return texts.cast(kind)


def _number(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        numbers = texts.cast(kind)
        if pa.types.is_floating(kind) and pc.any(pc.is_nan(numbers)).as_py():
            return pc.if_else(pc.is_nan(numbers), None, numbers)
        return numbers
    except pa.ArrowInvalid:
        minus = pc.ends_with(texts, "-")
        if not minus.true_count:
            raise
        front = pc.binary_join_element_wise("-", pc.utf8_rtrim(texts, "-"), "")  # SAP's 123-
        return pc.if_else(minus, front, texts).cast(kind)


def _written_number(decimal: str, thousands: str) -> Callable[[pa.Array, pa.DataType], pa.Array]:
    shape = rf"^{_shape(decimal, thousands)}$"

    def parse(texts: pa.Array, kind: pa.DataType) -> pa.Array:
        _all_match(texts, shape)
        if thousands:
            texts = pc.replace_substring(texts, thousands, "")
        return _number(pc.replace_substring(texts, decimal, "."), kind)

    return _distinct(parse)


def _shape(decimal: str, thousands: str) -> str:
    d, t = re.escape(decimal), re.escape(thousands)
    whole = rf"(?:[1-9]\d{{0,2}}(?:{t}\d{{3}})+|\d{{1,3}})" if thousands else r"\d+"
    return rf"[+-]?{whole}(?:{d}\d+)?(?:[eE][+-]?\d+)?-?"


def _written_date(order: str, pattern: str) -> Callable[[pa.Array, pa.DataType], pa.Array]:
    """Dates whose parts have names in the pattern."""

    def parse(texts: pa.Array, kind: pa.DataType) -> pa.Array:
        padded = _padded_date(texts, kind, order) if order in ("dmy", "mdy") else None
        if padded is not None:
            return padded
        parts = pc.extract_regex(texts, pattern)
        if parts.null_count > texts.null_count:
            raise pa.ArrowInvalid("no date of this order")
        day, month = (pc.utf8_lpad(pc.struct_field(parts, n), 2, "0") for n in ("d", "m"))
        year = pc.struct_field(parts, "y")
        if "[A-Za-z]" in pattern:
            place = pc.index_in(pc.utf8_upper(month), value_set=_MONTHS)
            month = pc.utf8_lpad(pc.add(place, 1).cast(pa.string()), 2, "0")
            later = pc.less(year, "50")  # as Oracle's RR
            century = pc.if_else(later, "20", "19")
            short = pc.equal(pc.utf8_length(year), 2)
            full = pc.binary_join_element_wise(century, year, "")
            year = pc.if_else(short, full, year)
        dates = pc.binary_join_element_wise(year, month, day, "-")
        if dates.null_count > texts.null_count:
            raise pa.ArrowInvalid("no such month")
        clock = _clock(parts)
        if pa.types.is_date(kind):
            if pc.any(pc.not_equal(clock, "")).as_py():
                raise pa.ArrowInvalid("a time stands beside the date")
            return dates.cast(kind)
        return pc.binary_join_element_wise(dates, clock, "").cast(kind)

    return _distinct(parse)


def _padded_date(texts: pa.Array, kind: pa.DataType, order: str) -> pa.Array | None:
    """Dates whose parts all have their places, `31.12.2024 23:59`, by the places; else nothing."""
    lengths = pc.min_max(pc.binary_length(texts))
    allowed = (10,) if pa.types.is_date(kind) else (10, 16, 19)
    if lengths["min"] != lengths["max"] or lengths["min"].as_py() not in allowed:
        return None
    one, two, year = (pc.utf8_slice_codeunits(texts, a, b) for a, b in ((0, 2), (3, 5), (6, 10)))
    marks = (pc.utf8_slice_codeunits(texts, at, at + 1) for at in (2, 5))
    if not all(pc.all(pc.is_in(mark, value_set=_MARKS)).as_py() for mark in marks):
        return None
    day, month = (one, two) if order == "dmy" else (two, one)
    dates = pc.binary_join_element_wise(year, month, day, "-")
    try:
        if pa.types.is_date(kind) or lengths["max"].as_py() == 10:
            return dates.cast(kind)
        clock = pc.utf8_slice_codeunits(texts, 10)
        return pc.binary_join_element_wise(dates, clock, "").cast(kind)
    except pa.ArrowInvalid:
        return None


_MARKS = pa.array([".", "/", "-", None])


def _clock(parts: pa.Array) -> pa.Array:
    """The times beside dates, ` 13:05:00.5`, or nothing; hours of twelve become those of 24."""
    hour, minute, second, half = (pc.struct_field(parts, name) for name in ("H", "M", "S", "P"))
    given = pc.not_equal(hour, "")
    number = pc.if_else(given, hour, "0").cast(pa.int64())
    half = pc.utf8_upper(half)
    late, early = pc.equal(half, "PM"), pc.equal(half, "AM")
    if pc.any(pc.and_(pc.or_(late, early), pc.greater(number, 12))).as_py():
        raise pa.ArrowInvalid("no such hour")
    number = pc.if_else(pc.and_(late, pc.less(number, 12)), pc.add(number, 12), number)
    number = pc.if_else(pc.and_(early, pc.equal(number, 12)), 0, number)
    hours = pc.utf8_lpad(number.cast(pa.string()), 2, "0")
    seconds = pc.if_else(pc.equal(second, ""), ":00", pc.replace_substring(second, ",", "."))
    text = pc.binary_join_element_wise(" ", hours, ":", minute, seconds, "")
    return pc.if_else(given, text, "")


_TIME = (
    r"(?:(?:[ T]|, )(?P<H>\d{1,2}):(?P<M>\d{2})(?P<S>(?::\d{2}(?:[.,]\d{1,9})?)?)"
    r" ?(?P<P>(?:[AaPp][Mm])?))?"
)
_DMY = r"(?P<d>\d{1,2})[./-](?P<m>\d{1,2})[./-](?P<y>\d{4})" + _TIME
_MDY = r"(?P<m>\d{1,2})[./-](?P<d>\d{1,2})[./-](?P<y>\d{4})" + _TIME
_YMD = r"(?P<y>\d{4})[./-](?P<m>\d{1,2})[./-](?P<d>\d{1,2})" + _TIME
_NAMED = r"(?P<d>\d{1,2})[ -](?P<m>[A-Za-z]{3})[ -](?P<y>\d{4}|\d{2})" + _TIME


def _iso(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """ISO 8601; a bare year and month, or hour, is not taken for a date."""
    return texts.cast(kind)


def _time(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    _all_match(texts, r"^\d{2}:\d{2}(?::\d{2})?$")
    moments = pc.binary_join_element_wise("1970-01-01 ", texts, "").cast(pa.timestamp("s"))
    return moments.cast(kind)


_MOMENTS = (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("ns"))
_ZONED = tuple(pa.timestamp(kind.unit, "UTC") for kind in _MOMENTS)
_NUMBERS = (pa.int64(), pa.float64())
_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?-?|[+-]?(?:inf|infinity)"


def _numbers() -> list[Family]:
    plain = re.compile(_PLAIN, re.IGNORECASE)
    families = [Family("plain", _NUMBERS, plain, _number, ".")]
    for decimal, thousands in (
        (",", ""), (".", ","), (",", "."), (".", "'"), (",", "'"), (".", "’"),
        (",", " "), (".", " "), (",", "\u00a0"), (",", "\u202f"), (".", "\u00a0"),
    ):  # fmt: skip
        name = f"number {decimal}{thousands}"
        shape = re.compile(_shape(decimal, thousands))
        parse = _written_number(decimal, thousands)
        families.append(Family(name, _NUMBERS, shape, parse, decimal, thousands))
    return families


def _dates() -> list[Family]:
    ordered = {"dmy": _DMY, "mdy": _MDY, "ymd": _YMD, "named": _NAMED}
    return [
        Family(
            name,
            (pa.date32(), *_MOMENTS),
            re.compile(pattern),
            _written_date(name, f"^{pattern}$"),
            order=name,
        )
        for name, pattern in ordered.items()
    ]


_ISO_DAY = r"\d{4}-\d{2}-\d{2}"
_ISO_MOMENT = _ISO_DAY + r"(?:[ T]\d{2}(?::?\d{2}){1,2}(?:[.,]\d+)?)?"

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in [
        Family("boolean", (pa.bool_(),), re.compile("true|false", re.IGNORECASE), _boolean),
        *_numbers(),
        Family("iso", (pa.date32(), *_MOMENTS), re.compile(_ISO_MOMENT), _iso, order="iso"),
        Family(
            "zoned",
            _ZONED,
            re.compile(_ISO_MOMENT + r"(?:Z|[+-]\d{2}(?::?\d{2})?)"),
            _iso,
            order="iso",
        ),
        Family("time", (pa.time32("s"),), re.compile(r"\d{2}:\d{2}(?::\d{2})?"), _time),
        *_dates(),
    ]
}
"""The narrowest first."""
