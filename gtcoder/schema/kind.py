"""How a column is learned: the kinds, and the rules that find a column's kind from its sketch."""

import re
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.sketch.column import ColumnSketch
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
    TEXT = "text"


CATEGORIES = frozenset({Kind.BOOLEAN, Kind.CATEGORICAL, Kind.HIGH_CARDINALITY})
"""Kinds whose values have no order."""

UNLEARNED = frozenset({Kind.CONSTANT, Kind.IDENTIFIER, Kind.TEXT})
"""Kinds the network never sees."""

MANY_CATEGORIES = 1024
"""More distinct values than this are `high_cardinality`."""

_ROWS_TO_TELL = 50
"""With fewer rows than this, values that never repeat say nothing."""

_IDENTIFIER_NAME = re.compile(
    r"(?i:(?:^|[_\s-])(?:id|key|uuid|guid)$)|[a-z](?:Id|ID|Key|Uuid|UUID)$"
)


def possible_kinds(arrow_type: pa.DataType) -> list[Kind]:
    """The kinds a user may choose for a column of a type."""
    groups = [Kind.CATEGORICAL, Kind.HIGH_CARDINALITY]
    match family_of(arrow_type):
        case Family.BOOLEAN:
            return [Kind.BOOLEAN, Kind.CATEGORICAL]
        case Family.TEXT:
            return [*groups, Kind.IDENTIFIER, Kind.TEXT]
        case Family.CATEGORY:
            return groups
        case Family.BINARY:
            return [Kind.TEXT]
        case Family.NUMBER:
            own = [_number_kind(arrow_type)]
            if not pt.is_temporal(arrow_type):
                own = [Kind.INTEGER, Kind.DECIMAL, Kind.REAL]
            return [*own, *groups, *([Kind.IDENTIFIER] if pt.is_integer(arrow_type) else [])]
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
            return Kind.IDENTIFIER if _numbers_rows(name, sketch) else _number_kind(sketch.type)
        case Family.TEXT:
            return _text_kind(sketch)
    return _category_kind(sketch)


def _number_kind(arrow_type: pa.DataType) -> Kind:
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
    """Whether an integer column numbers the rows.

    It never repeats, and either its values lie so close together that a measurement would have to
    repeat (birthday bound), or it is named like a key.
    """
    if not (pt.is_integer(sketch.type) and sketch.numbers and sketch.nulls == 0):
        return False
    if sketch.rows < _ROWS_TO_TELL or not sketch.unique:
        return False
    low, high = sketch.numbers.quantiles.at(np.array([0.0, 1.0]))
    dense = high - low < 4 * sketch.rows
    return sketch.distinct > 0.93 * sketch.rows and bool(dense or _IDENTIFIER_NAME.search(name))


def _text_kind(sketch: ColumnSketch) -> Kind:
    texts = sketch.texts
    assert texts is not None
    letters = texts.letters / sketch.present
    if texts.long > 0.5 * sketch.present:
        return Kind.TEXT
    if sketch.present >= _ROWS_TO_TELL and sketch.unique:
        prose = texts.spaced > 0.5 * sketch.present or letters > 64
        return Kind.TEXT if prose else Kind.IDENTIFIER
    if sketch.distinct > max(0.5 * sketch.present, _ROWS_TO_TELL) and letters > 24:
        return Kind.TEXT
    return _category_kind(sketch)


def _category_kind(sketch: ColumnSketch) -> Kind:
    return Kind.HIGH_CARDINALITY if sketch.distinct > MANY_CATEGORIES else Kind.CATEGORICAL
