"""Formulas of time: parts of moments, moments of their parts, clocks.

Shapes: B rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.rules.arithmetic import SPANS
from gtcoder.rules.names import quoted
from gtcoder.rules.values import DAY_NS, Values

PARTS = (
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "day_of_year",
    "weekday",
    "weekday_from_sunday",
    "hour",
    "minute",
    "second",
)
"""Of a moment, as whole numbers; `weekday` is 0 on Mondays, `week` is ISO's."""
_LOCAL = pa.timestamp("ns")
_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a moment, in a time zone where one is named, and from where it counts."""

    part: str
    """One of `PARTS`, or `date`."""
    of_column: str
    zone: str = ""
    first: int = 0
    """Is added: weekdays may count from 1."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The column it is of."""
        return (self.of_column,)

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """The part."""
        local = local_time(columns[self.of_column], self.zone)
        known = local.is_valid().to_numpy(zero_copy_only=False)
        if self.part == "date":
            nanoseconds = local.cast(pa.int64()).fill_null(0).to_numpy()
            return Values(nanoseconds - np.mod(nanoseconds, DAY_NS), known)
        return Values(part_of(self.part, local) + self.first, known)

    def __str__(self) -> str:
        zone = f', "{self.zone}"' if self.zone else ""
        first = f" + {self.first}" if self.first else ""
        return f"{self.part}({quoted(self.of_column)}{zone}){first}"


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment of a date or a year, month and day, and a time of day, in a time zone.

    A local time that a zone leaves out is taken as the one an hour later; of one that comes twice
    the earlier is meant.
    """

    parts: tuple[tuple[str, str], ...]
    """Parts and their columns: `date`, or `year`, `month`, `day`; then `hour`, `minute`,
    `second`."""
    zone: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of."""
        return tuple(name for _, name in self.parts)

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """The moment; unknown where the parts make none, such as the 30th of February."""
        each = {part: Values.of(columns[name]) for part, name in self.parts}
        known = np.logical_and.reduce([values.known for values in each.values()])
        numbers = {part: values.numbers.astype(np.int64) for part, values in each.items()}
        if "date" in numbers:
            start = numbers["date"]
        else:
            start, exists = _days(numbers["year"], numbers["month"], numbers["day"])
            known = known & exists
        for part, unit in (("hour", "hours"), ("minute", "minutes"), ("second", "seconds")):
            if part in numbers:
                start = start + numbers[part] * SPANS[unit]
        local = pa.array(np.where(known, start, 0)).cast(_LOCAL)
        if self.zone:
            there = pc.assume_timezone(local, self.zone, ambiguous="earliest", nonexistent="latest")
            local = there.cast(pa.timestamp("ns", "UTC"))
        return Values(local.cast(pa.int64()).to_numpy(), known)

    def __str__(self) -> str:
        said = ", ".join(f"{part}={quoted(name)}" for part, name in self.parts)
        zone = f'"{self.zone}", ' if self.zone else ""
        return f"moment({zone}{said})"


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock (hhmm, as 1435 for 14:35) so many minutes later, modulo a day."""

    clock: str
    minutes: str
    sign: int = 1
    midnight: int = 0
    """0 or 2400: how it is written."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of."""
        return self.clock, self.minutes

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """hhmm((minutes(clock) ± minutes) mod 1440)."""
        clock, later = Values.of(columns[self.clock]), Values.of(columns[self.minutes])
        at = clock_minutes(clock.numbers) + self.sign * np.rint(later.numbers).astype(np.int64)
        at = np.mod(at, _MINUTES)
        numbers = at // 60 * 100 + at % 60
        numbers = np.where(numbers == 0, self.midnight, numbers)
        return Values(numbers, clock.known & later.known)

    def __str__(self) -> str:
        sign = "-" if self.sign < 0 else "+"
        midnight = ", midnight=2400" if self.midnight else ""
        return f"clock({quoted(self.clock)} {sign} {quoted(self.minutes)}{midnight})"


def local_time(moments: pa.Array, zone: str) -> pa.Array:
    """Moments as what a clock shows in a zone, or as they stand where none is named."""
    kind = moments.type
    if not zone:
        return moments.cast(_LOCAL, safe=False)
    utc = moments.cast(pa.timestamp("ns", getattr(kind, "tz", None) or "UTC"), safe=False)
    return pc.local_timestamp(utc.cast(pa.timestamp("ns", zone)))


def part_of(part: str, local: pa.Array) -> np.ndarray:
    """A part of local times, one of `PARTS`, int64 (B,); 0 of what is missing."""
    return np.asarray(_PART_OF[part](local).fill_null(0).to_numpy(), np.int64)


def clock_minutes(clock: np.ndarray) -> np.ndarray:
    """Minutes since midnight of hhmm numbers, int64 (B,)."""
    whole = clock.astype(np.int64)
    return np.asarray(whole // 100 * 60 + whole % 100)


def _days(years: np.ndarray, months: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nanoseconds at which dates begin, (B,), and whether there are such dates, (B,)."""
    sane = (years > 1677) & (years < 2262) & (months >= 1) & (months <= 12)
    first = (np.where(sane, years, 1970) - 1970) * 12 + np.where(sane, months, 1) - 1
    month = first.astype("datetime64[M]")
    date = month.astype("datetime64[D]") + (days - 1)
    exists = sane & (days >= 1) & (date.astype("datetime64[M]") == month)
    return date.astype("datetime64[ns]").astype(np.int64), exists


_PART_OF = {
    "year": pc.year,
    "quarter": pc.quarter,
    "month": pc.month,
    "week": pc.iso_week,
    "day": pc.day,
    "day_of_year": pc.day_of_year,
    "weekday": pc.day_of_week,
    "weekday_from_sunday": partial(pc.day_of_week, week_start=7),
    "hour": pc.hour,
    "minute": pc.minute,
    "second": pc.second,
}
