"""How one column follows from others: formulas, each as it is written and as it is computed.

Values are in natural units; moments and spans are nanoseconds. What a formula cannot say of a row
is unknown there.

Shapes: B rows.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.rules.names import quoted
from gtcoder.rules.values import DAY_NS, Values

SPANS = {"seconds": 10**9, "minutes": 60 * 10**9, "hours": 3600 * 10**9, "days": DAY_NS}
"""Numbers of these, in nanoseconds."""
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


class Formula(Protocol):
    """What every formula can do."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of."""

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """Its values (B,) where the columns (B,) have theirs."""

    def __str__(self) -> str:
        """As it is written."""
        ...


@dataclass(frozen=True, slots=True)
class Copy:
    """x, of whatever type."""

    of_column: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The column it is of."""
        return (self.of_column,)

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """x, where it is a number."""
        return Values.of(columns[self.of_column])

    def __str__(self) -> str:
        return quoted(self.of_column)


@dataclass(frozen=True, slots=True)
class Bins:
    """The label of the stretch that x lies in: label i from edge i − 1 up to edge i, exclusive."""

    of_column: str
    edges: tuple[float, ...]
    """In rising order, one fewer than labels; moments in nanoseconds."""
    labels: tuple[Any, ...]
    """Plain JSON values."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The column it is of."""
        return (self.of_column,)

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """The number of the stretch."""
        values = Values.of(columns[self.of_column])
        return Values(np.searchsorted(self.edges, values.numbers, side="right"), values.known)

    def __str__(self) -> str:
        edges = ", ".join(map(_plain, self.edges))
        return f"bins({quoted(self.of_column)}, [{edges}], {list(self.labels)})"


@dataclass(frozen=True, slots=True)
class Linear:
    """Σ c_i · x_i + k, of one column or more."""

    terms: tuple[tuple[float, str], ...]
    """Factors and columns."""
    constant: float = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of."""
        return tuple(name for _, name in self.terms)

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """Σ c_i · x_i + k; whole numbers stay whole."""
        total: np.ndarray | float = _number(self.constant)
        known: np.ndarray | bool = True
        for factor, name in self.terms:
            values = Values.of(columns[name])
            total = total + _number(factor) * _counted(values.numbers, factor)
            known = known & values.known
        return Values(np.asarray(total), np.asarray(known))

    def __str__(self) -> str:
        said = ""
        for factor, name in self.terms:
            sign = "-" if factor < 0 else "+"
            said += f" {sign} {_term(abs(factor), name)}" if said else _first(factor, name)
        if self.constant:
            said += f" {'-' if self.constant < 0 else '+'} {_plain(abs(self.constant))}"
        return said


@dataclass(frozen=True, slots=True)
class _OfTwo:
    """What is computed of two columns."""

    one: str
    other: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of."""
        return self.one, self.other


@dataclass(frozen=True, slots=True)
class _Divided:
    """What is computed of a column and a divisor."""

    of_column: str
    divisor: float

    @property
    def inputs(self) -> tuple[str, ...]:
        """The column it is of."""
        return (self.of_column,)


@dataclass(frozen=True, slots=True)
class Product(_OfTwo):
    """x · y."""

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """x · y."""
        one, other = Values.of(columns[self.one]), Values.of(columns[self.other])
        return Values(one.numbers.astype(np.float64) * other.numbers, one.known & other.known)

    def __str__(self) -> str:
        return f"{quoted(self.one)} * {quoted(self.other)}"


@dataclass(frozen=True, slots=True)
class Ratio(_OfTwo):
    """x / y; unknown where y is 0."""

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """x / y."""
        one, other = Values.of(columns[self.one]), Values.of(columns[self.other])
        known = one.known & other.known & (other.numbers != 0)
        return Values(one.numbers / np.where(known, other.numbers, 1), known)

    def __str__(self) -> str:
        return f"{quoted(self.one)} / {quoted(self.other)}"


@dataclass(frozen=True, slots=True)
class Quotient(_Divided):
    """⌊x / k⌋."""

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """⌊x / k⌋."""
        values = Values.of(columns[self.of_column])
        return Values(np.floor_divide(values.numbers, _number(self.divisor)), values.known)

    def __str__(self) -> str:
        return f"{quoted(self.of_column)} // {_plain(self.divisor)}"


@dataclass(frozen=True, slots=True)
class Remainder(_Divided):
    """x − k · ⌊x / k⌋."""

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """x − k · ⌊x / k⌋."""
        values = Values.of(columns[self.of_column])
        return Values(np.mod(values.numbers, _number(self.divisor)), values.known)

    def __str__(self) -> str:
        return f"{quoted(self.of_column)} % {_plain(self.divisor)}"


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


@dataclass(frozen=True, slots=True)
class Above:
    """max(x_i) + gap, where the gap is learned in the column's place and never negative.

    Or, where the gap varies about as much as the column itself, the column as it is learned, raised
    to max(x_i) where it is below.
    """

    lows: tuple[str, ...]
    gap: str
    """The gap's name among what is learned; none where the column itself is learned."""
    strict: bool = False
    """Whether it is never 0."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of, the gap included."""
        return (*self.lows, self.gap) if self.gap else self.lows

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """max(x_i) + gap."""
        low, gap = self.low(columns), Values.of(columns[self.gap])
        return Values(low.numbers + gap.numbers, low.known & gap.known)

    def low(self, columns: Mapping[str, pa.Array]) -> Values:
        """max(x_i), known where all are."""
        each = [Values.of(columns[name]) for name in self.lows]
        return Values(
            np.maximum.reduce([values.numbers for values in each]),
            np.logical_and.reduce([values.known for values in each]),
        )

    def __str__(self) -> str:
        lows = ", ".join(map(quoted, self.lows))
        return f"at least {lows}"


FORMULAS: Mapping[str, type] = {
    "copy": Copy,
    "bins": Bins,
    "linear": Linear,
    "product": Product,
    "ratio": Ratio,
    "quotient": Quotient,
    "remainder": Remainder,
    "part": Part,
    "moment": Moment,
    "clock": Clock,
    "above": Above,
}
"""The formulas by their names in rules.json."""


def computed(
    formula: Formula, columns: Mapping[str, pa.Array], kind: pa.DataType, decimals: int | None
) -> pa.Array:
    """What a formula says of a column of a type (B,); null where it says nothing.

    Args:
        formula: of the column.
        columns: those that it is of.
        kind: the column's type.
        decimals: to round to; None leaves numbers as they are.
    """
    if isinstance(formula, Copy):
        return columns[formula.of_column].cast(kind)
    values = formula.of(columns)
    if isinstance(formula, Bins):
        places = pa.array(values.numbers, mask=~values.known)
        return pa.array(formula.labels, kind).take(places)
    return values.array(kind, decimals)


def solved(formula: Formula, target: str, name: str) -> Formula | None:
    """A column that a formula is of, from the derived one and the others; None where none is it.

    Args:
        formula: of the derived column.
        target: the derived column.
        name: one that the formula is of.
    """
    match formula:
        case Copy():
            return Copy(target)
        case Linear() if formula.inputs.count(name) == 1:
            [factor] = [each for each, of in formula.terms if of == name]
            others = [(-each / factor, of) for each, of in formula.terms if of != name]
            return Linear(((1 / factor, target), *others), -formula.constant / factor)
        case Product(one, other) if one != other:
            return Ratio(target, other if name == one else one)
        case Ratio(one, other) if one != other:
            return Product(target, other) if name == one else Ratio(one, target)
    return None


def to_dict(formula: Formula) -> dict[str, Any]:
    """A formula as plain JSON values."""
    name = next(name for name, kind in FORMULAS.items() if type(formula) is kind)
    return {"formula": name, **asdict(formula)}  # type: ignore[call-overload]


def from_dict(plain: Mapping[str, Any]) -> Formula:
    """The inverse of `to_dict`."""
    rest = {name: _tuples(value) for name, value in plain.items() if name != "formula"}
    formula: Formula = FORMULAS[plain["formula"]](**rest)
    return formula


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


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


def _number(value: float) -> float:
    """The value as an int where it is one, so that whole numbers stay whole."""
    return int(value) if value == int(value) else value


def _counted(numbers: np.ndarray, factor: float) -> np.ndarray:
    """Counts of days and the like as whole numbers: as floats, nanoseconds would not be exact."""
    if numbers.dtype == np.int64 or factor < SPANS["seconds"]:
        return numbers
    whole = np.rint(numbers)
    return whole.astype(np.int64) if np.array_equal(whole, numbers) else numbers


def _plain(value: float) -> str:
    return f"{value:.12g}"


def _first(factor: float, name: str) -> str:
    return f"-{_term(-factor, name)}" if factor < 0 else _term(factor, name)


def _term(factor: float, name: str) -> str:
    if factor == 1:
        return quoted(name)
    for unit, length in SPANS.items():
        if factor == length:
            return f"{unit}({quoted(name)})"
    return f"{_plain(factor)} * {quoted(name)}"
