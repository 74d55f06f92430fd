"""Formulas of arithmetic: sums, products, powers, quotients of columns.

Values are in natural units; moments and spans are nanoseconds.

Shapes: B rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gtcoder.rules.names import quoted
from gtcoder.rules.values import DAY_NS, Values

SPANS = {"seconds": 10**9, "minutes": 60 * 10**9, "hours": 3600 * 10**9, "days": DAY_NS}
"""Numbers of these, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class _OfTerms:
    """What is computed of one column or more, each with a number."""

    terms: tuple[tuple[float, str], ...]
    """Factors or exponents, and columns."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of."""
        return tuple(name for _, name in self.terms)


@dataclass(frozen=True, slots=True)
class Linear(_OfTerms):
    """Σ c_i · x_i + k."""

    constant: float = 0

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
            said += f" {'-' if self.constant < 0 else '+'} {as_written(abs(self.constant))}"
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
        return f"{quoted(self.of_column)} // {as_written(self.divisor)}"


@dataclass(frozen=True, slots=True)
class Remainder(_Divided):
    """x − k · ⌊x / k⌋."""

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """x − k · ⌊x / k⌋."""
        values = Values.of(columns[self.of_column])
        return Values(np.mod(values.numbers, _number(self.divisor)), values.known)

    def __str__(self) -> str:
        return f"{quoted(self.of_column)} % {as_written(self.divisor)}"


@dataclass(frozen=True, slots=True)
class Power(_OfTerms):
    """k · Π x_i^p_i; 0 where one of the columns is not above 0."""

    constant: float = 1

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """k · Π x_i^p_i."""
        total: np.ndarray | float = self.constant
        known: np.ndarray | bool = True
        above: np.ndarray | bool = True
        for exponent, name in self.terms:
            values = Values.of(columns[name])
            above = above & (values.numbers > 0)
            total = total * np.where(values.numbers > 0, values.numbers, 1.0) ** exponent
            known = known & values.known
        return Values(np.where(above, total, 0.0), np.asarray(known))

    def __str__(self) -> str:
        factors = [f"{quoted(n)}**{as_written(p)}" if p != 1 else quoted(n) for p, n in self.terms]
        return " * ".join([*([as_written(self.constant)] if self.constant != 1 else []), *factors])


def _number(value: float) -> float:
    """The value as an int where it is one, so that whole numbers stay whole."""
    return int(value) if abs(value) <= 2**53 and value == int(value) else value


def _counted(numbers: np.ndarray, factor: float) -> np.ndarray:
    """Counts of days and the like as whole numbers: as floats, nanoseconds would not be exact."""
    if numbers.dtype == np.int64 or factor < SPANS["seconds"]:
        return numbers
    whole = np.rint(numbers)
    return whole.astype(np.int64) if np.array_equal(whole, numbers) else numbers


def as_written(value: float) -> str:
    """A number as it is written."""
    return f"{value:.12g}"


def _first(factor: float, name: str) -> str:
    return f"-{_term(-factor, name)}" if factor < 0 else _term(factor, name)


def _term(factor: float, name: str) -> str:
    if factor == 1:
        return quoted(name)
    for unit, length in SPANS.items():
        if factor == length:
            return f"{unit}({quoted(name)})"
    return f"{as_written(factor)} * {quoted(name)}"
