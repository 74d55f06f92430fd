"""A value as a user writes it, in Python or on the command line, as ticks of a column.

A literal can stand for a stretch of ticks: a day of a column of timestamps, say, runs from its
first tick to its last.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.table.types import is_whole

TickRange = tuple[float, float]
"""First and last tick, int where the column's ticks are whole; first > last if it holds none."""

_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY_S = 86_400
_LARGEST_EXPONENT = 400


def tick_range(value: object, kind: pa.DataType) -> TickRange:
    """The ticks of a column of numbers, dates or times that `value` stands for.

    Raises:
        ValueError: it is no value of such a column; the message says what would be.
    """
    if isinstance(value, np.generic):
        value = _from_numpy(value)
    if pt.is_date(kind):
        return _date(value, kind)
    if pt.is_timestamp(kind):
        return _timestamp(value, kind)
    if pt.is_time(kind):
        return _time(value, kind)
    if pt.is_duration(kind):
        return _exact(_seconds(value) * _UNITS[kind.unit])
    return _number(value, kind)


def _from_numpy(value: np.generic) -> object:
    """The Python value; nanoseconds, which Python's datetime lacks, are cut to microseconds."""
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()
    return (
        value.astype("timedelta64[us]").item()
        if isinstance(value, np.timedelta64)
        else value.item()
    )


def _exact(ticks: Fraction | int) -> TickRange:
    """The tick, if there is one; else the empty stretch around where it would be."""
    return ceil(ticks), floor(ticks)


def _number(value: object, kind: pa.DataType) -> TickRange:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError("a number")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError("a number") from None
    if number.is_nan():
        raise ValueError("a number (None for missing values)")
    if number.is_finite() and abs(number.adjusted()) > _LARGEST_EXPONENT:
        # Beyond any column's values; as a fraction it might have a billion digits.
        number = Decimal(0) if number.adjusted() < 0 else Decimal("inf").copy_sign(number)
    if not is_whole(kind) or number.is_infinite():
        return float(number), float(number)
    return _exact(Fraction(number) * 10 ** (kind.scale if pt.is_decimal(kind) else 0))


def _date(value: object, kind: pa.DataType) -> TickRange:
    day = _day(value)
    if day is None:
        raise ValueError("a date such as 2013-06-30")
    ticks = day.toordinal() - date(1970, 1, 1).toordinal()
    return (ticks, ticks) if pt.is_date32(kind) else (ticks * _DAY_S * 1000,) * 2


def _day(value: object) -> date | None:
    """The date a date, or a text of one, stands for; None for anything with a time of day."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, datetime):
        return value.date() if value.timetz() == time() else None
    try:
        return date.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None


def _timestamp(value: object, kind: pa.DataType) -> TickRange:
    zone = _zone(kind.tz)
    units = _UNITS[kind.unit]
    day = None if isinstance(value, datetime) else _day(value)
    if day is not None:
        if day == date.max:
            raise ValueError("a date before 9999-12-31")
        start = _since_epoch(datetime.combine(day, time()), zone) * units
        end = _since_epoch(datetime.combine(day + timedelta(days=1), time()), zone) * units
        return ceil(start), ceil(end) - 1
    try:
        moment = (
            value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        )
    except ValueError:
        raise ValueError("a date or time such as 2013-06-30 or 2013-06-30T14:00") from None
    nanoseconds = Fraction(getattr(moment, "nanosecond", 0), 10**9)  # pandas has them
    return _exact((_since_epoch(moment, zone) + nanoseconds) * units)


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", name)
    if not offset:
        return ZoneInfo(name)
    sign, hours, minutes = offset.groups()
    return timezone((1 if sign == "+" else -1) * timedelta(hours=int(hours), minutes=int(minutes)))


def _since_epoch(moment: datetime, zone: tzinfo | None) -> Fraction:
    """Seconds; without a zone of its own the moment is local to the column's, or to none."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone or UTC)
    past = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Fraction(past // timedelta(microseconds=1), 10**6)


def _time(value: object, kind: pa.DataType) -> TickRange:
    try:
        moment = value if isinstance(value, time) else time.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError("a time of day such as 14:30") from None
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return _exact((seconds + Fraction(moment.microsecond, 10**6)) * _UNITS[kind.unit])


_CLOCK = re.compile(r"(-)?(?:(\d+) ?d(?:ays?)?,? ?)?(?:(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?)?")


def _seconds(value: object) -> Fraction:
    if isinstance(value, timedelta):
        nanoseconds = Fraction(getattr(value, "nanoseconds", 0), 10**9)  # pandas has them
        return Fraction(value // timedelta(microseconds=1), 10**6) + nanoseconds
    text = str(value).strip()
    if re.search(r"e[+-]?\d{3}", text, re.I):
        raise ValueError("a duration such as 1:30:00, or seconds")
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        match = _CLOCK.fullmatch(text)
    if not text or not match:
        raise ValueError("a duration such as 1:30:00, or seconds")
    sign, days, hours, minutes, seconds = match.groups()
    whole = int(days or 0) * _DAY_S + int(hours or 0) * 3600 + int(minutes or 0) * 60
    return (whole + Fraction(seconds or 0)) * (-1 if sign else 1)
