"""How a column is learned: the kinds, and the rules that find a column's kind from its sketch."""

import re
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.sample import K as SAMPLED
from gtcoder.table.types import Family, family_of


class Kind(StrEnum):
    """How a column is learned."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    REAL = "real"
    CATEGORICAL = "categorical"
    HIGH_CARDINALITY = "high_cardinality"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    DURATION = "duration"
    CONSTANT = "constant"
    IDENTIFIER = "identifier"
    PATTERN = "pattern"
    TEXT = "text"


CATEGORIES = frozenset({Kind.BOOLEAN, Kind.CATEGORICAL, Kind.HIGH_CARDINALITY})
"""Kinds whose values have no order."""

UNLEARNED = frozenset({Kind.CONSTANT, Kind.IDENTIFIER, Kind.PATTERN, Kind.TEXT})
"""Kinds whose values the network never sees; of a pattern it sees whether there is one."""

MANY_CATEGORIES = 1024
"""More distinct values than this are `high_cardinality`."""

_ROWS_TO_TELL = 50
"""With fewer rows than this, values that never repeat say nothing."""

_WORDS = "id|key|pk|uuid|guid|nr|no|number|nummer"
_IDENTIFIER_NAME = re.compile(
    rf"(?i:(?:^|[_\s.-])(?:{_WORDS})[.]?$)|(?i:^(?:id|pk)[_\s.-])"
    r"|[a-z](?:Id|ID|Key|Uuid|UUID|Nr|No|Number)$"
)
_MEASURE_NAME = re.compile(
    r"(?i)(?:^|[_\s.-])(?:year|month|week|day|hour|minute|second|rank|level|position|percentile|age"
    r"|score|grade|step|epoch|time|distance|size|count)s?$"
)
"""What may count from 0 or 1 without a repeat and is learned all the same."""
_LEAST_KEYS = 2**31 - 1
"""A type that holds no number as large cannot number rows."""
_COMMON_SHARE = 0.5
"""Of a text column's rows, with a category that a few rows share; with less it is a pattern."""
_FEW_ROWS = 5
_WORD = re.compile(r"[^\W\d_]+")
_PROSE_WORDS = 4


def possible_kinds(arrow_type: pa.DataType) -> list[Kind]:
    """The kinds a user may choose for a column of a type."""
    groups = [Kind.CATEGORICAL, Kind.HIGH_CARDINALITY]
    match family_of(arrow_type):
        case Family.BOOLEAN:
            return [Kind.BOOLEAN, Kind.CATEGORICAL]
        case Family.TEXT:
            return [*groups, Kind.IDENTIFIER, Kind.PATTERN, Kind.TEXT]
        case Family.CATEGORY:
            return groups
        case Family.BINARY:
            return [Kind.TEXT]
        case Family.NUMBER:
            own = [kind_of_type(arrow_type)]
            if not pt.is_temporal(arrow_type):
                own = [Kind.INTEGER, Kind.DECIMAL, Kind.REAL]
            return [*own, *groups, *([Kind.IDENTIFIER] if largest_key(arrow_type) else [])]
    return []


def infer_kind(name: str, sketch: ColumnSketch) -> Kind:
    """The kind of a column."""
    family = family_of(sketch.type)
    if family is Family.BINARY:
        return Kind.TEXT
    if sketch.present == 0 and sketch.nans == 0:
        return Kind.CONSTANT
    if sketch.distinct <= 1 and sketch.nulls + sketch.nans == 0:
        return Kind.CONSTANT
    match family:
        case Family.BOOLEAN:
            return Kind.BOOLEAN
        case Family.NUMBER:
            return Kind.IDENTIFIER if _numbers_rows(name, sketch) else kind_of_type(sketch.type)
        case Family.TEXT:
            return _text_kind(sketch)
    return _category_kind(sketch)


def kind_of_type(arrow_type: pa.DataType) -> Kind:
    """The kind of a column of numbers, by its type alone."""
    tests = (
        (pt.is_integer, Kind.INTEGER),
        (pt.is_decimal, Kind.DECIMAL),
        (pt.is_date, Kind.DATE),
        (pt.is_timestamp, Kind.TIMESTAMP),
        (pt.is_time, Kind.TIME),
        (pt.is_duration, Kind.DURATION),
    )
    return next((kind for test, kind in tests if test(arrow_type)), Kind.REAL)


def _numbers_rows(name: str, sketch: ColumnSketch) -> bool:
    """Whether a column of whole numbers numbers the rows.

    It never repeats, its type can number as many rows as one likes, and it is named like a key, or
    counts from 0 or 1 without gaps to speak of. Years, ranks and levels that never repeat are
    numbers like any other.
    """
    if not (largest_key(sketch.type) and sketch.numbers and sketch.nulls + sketch.nans == 0):
        return False
    lattice = sketch.numbers.lattice
    if sketch.rows < _ROWS_TO_TELL or not sketch.unique or not lattice.regular or lattice.decimals:
        return False
    if not pt.is_integer(sketch.type) and not _IDENTIFIER_NAME.search(name):
        return False
    low, high = sketch.numbers.quantiles.at(np.array([0.0, 1.0]))
    counts = low in (0, 1) and high - low < 1.1 * sketch.rows
    counts = counts and not _MEASURE_NAME.search(name)
    return sketch.distinct > 0.93 * sketch.rows and bool(counts or _IDENTIFIER_NAME.search(name))


def largest_key(arrow_type: pa.DataType) -> int:
    """The largest number of a type that can number rows; 0 of one that cannot.

    Whole numbers of 32 bits or more, decimals without a fraction, and doubles up to 2**53.
    """
    if pt.is_integer(arrow_type):
        largest = int(np.iinfo(arrow_type.to_pandas_dtype()).max)
    elif pt.is_decimal(arrow_type) and arrow_type.scale == 0:
        largest = min(10**arrow_type.precision - 1, 2**63 - 1)
    elif pt.is_float64(arrow_type):
        largest = 2**53
    else:
        return 0
    return min(largest, 2**63 - 1) if largest >= _LEAST_KEYS else 0


def _text_kind(sketch: ColumnSketch) -> Kind:
    texts = sketch.texts
    assert texts is not None
    letters = texts.letters / sketch.present
    if texts.long > 0.5 * sketch.present:
        return Kind.TEXT
    if sketch.present >= _ROWS_TO_TELL and sketch.unique:
        prose = letters > 64 or (texts.spaced > 0.5 * sketch.present and _is_wordy(sketch))
        return Kind.TEXT if prose else Kind.IDENTIFIER
    prose = letters > 24 and _is_wordy(sketch)
    if prose and sketch.distinct > max(0.5 * sketch.present, _ROWS_TO_TELL):
        return Kind.TEXT
    if sketch.present < _ROWS_TO_TELL:
        return _category_kind(sketch)
    counts = sketch.counts.counts + sketch.counts.error
    common = int(sketch.counts.counts[counts >= _FEW_ROWS].sum())
    if common >= _COMMON_SHARE * sketch.present:
        return _category_kind(sketch)
    return Kind.TEXT if prose else Kind.PATTERN


def _is_wordy(sketch: ColumnSketch) -> bool:
    """Whether most strings are of four words or more: prose, unlike names, moments and numbers.

    Long strings are not sampled; where they are many they count as prose.
    """
    assert sketch.sample is not None
    texts = sketch.sample.values.to_pylist()
    wordy = sum(len(_WORD.findall(text)) >= _PROSE_WORDS for text in texts)
    return wordy > 0.5 * len(texts) or len(texts) < 0.5 * min(sketch.distinct, SAMPLED)


def _category_kind(sketch: ColumnSketch) -> Kind:
    return Kind.HIGH_CARDINALITY if sketch.distinct > MANY_CATEGORIES else Kind.CATEGORICAL
