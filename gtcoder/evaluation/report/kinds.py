"""Columns' types in an analyst's words."""

import pyarrow as pa
import pyarrow.types as pt


def plain_kind(kind: pa.DataType) -> str:
    """What values of an Arrow type are."""
    if pt.is_dictionary(kind):
        return plain_kind(kind.value_type)
    if pt.is_timestamp(kind):
        return "date and time, here in UTC" if kind.tz else "date and time"
    tests = (
        (pt.is_boolean, "yes or no"),
        (pt.is_integer, "whole number"),
        (pt.is_floating, "number"),
        (pt.is_decimal, "number"),
        (pt.is_date, "date"),
        (pt.is_time, "time of day"),
        (pt.is_duration, "length of time"),
        (pt.is_null, "no values"),
    )
    return next((words for test, words in tests if test(kind)), "category")
