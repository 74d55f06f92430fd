"""What holds between columns, each kind of rule as plain data, and how many rows keep it.

Shapes: B rows.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.rules import formula as formulas
from gtcoder.rules.formula import Bins, Copy, Formula, computed
from gtcoder.rules.gap import Above, Gap, Near
from gtcoder.rules.names import quoted
from gtcoder.rules.together import Together
from gtcoder.rules.values import Values, has_values
from gtcoder.table.lookup import as_lookup, from_plain
from gtcoder.table.ticks import plain_values

_RELATIVE = 1e-9
"""Reals of 64 bits that differ by less, of their size, are the same."""
_RELATIVE_SINGLE = 2e-6


@dataclass(frozen=True, slots=True)
class Derived:
    """A column that follows from others by a formula."""

    target: str
    formula: Formula
    decimals: int | None = None
    """The column's own rounding, if it has one."""
    otherwise: bool = False
    """Whether it has values in rows of which the formula says nothing; those are learned."""
    absent: bool = False
    """Whether it is missing in rows of which the formula says something; which is learned."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that it is about, the derived one first."""
        inputs = self.formula.beside if isinstance(self.formula, Gap) else self.formula.inputs
        return self.target, *inputs

    def agrees(self, table: Mapping[str, pa.Array]) -> np.ndarray:
        """Of each row 1 where it keeps the rule, 0 where it breaks it, −1 where nothing is said.

        A row in which the column is missing breaks nothing. Of a column that others nearly give, 1
        where it is as near as 19 of 20 rows that were seen.
        """
        target, formula = table[self.target], self.formula
        if isinstance(formula, Near):
            start, own = formula.start(table), Values.of(target)
            off = np.abs(own.numbers - start.numbers)
            return _verdict(start.known & own.known, off <= formula.within * (1 + 1e-9))
        if isinstance(formula, Above):
            low, high = formula.start(table), Values.of(target)
            said = low.known & high.known
            keeps = high.numbers > low.numbers if formula.strict else high.numbers >= low.numbers
            return _verdict(said, keeps)
        if isinstance(formula, Copy | Bins) or not has_values(target.type):
            found = computed(formula, table, target.type, self.decimals)
            said = ~is_missing(target) & ~is_missing(found)
            same = pc.fill_null(pc.equal(plain_values(target), plain_values(found)), False)
            return _verdict(said, same.to_numpy(zero_copy_only=False))
        values, known = formula.of(table), Values.of(target)
        said = values.known & known.known
        return _verdict(said, _same(values.numbers, known.numbers, target.type, self.decimals))

    def __str__(self) -> str:
        if isinstance(self.formula, Above):
            sign = "<" if self.formula.strict else "<="
            return f"{', '.join(map(quoted, self.formula.lows))} {sign} {quoted(self.target)}"
        sign = "~" if is_near(self) else "="
        return f"{quoted(self.target)} {sign} {self.formula}"


@dataclass(frozen=True, slots=True)
class Missing:
    """A column that is missing where another is, or where another has one of some values."""

    target: str
    source: str
    values: tuple[Any, ...] | None = None
    """Plain JSON values of the source with which the target is missing; None: where it is."""
    exactly: bool = False
    """Whether it is missing there alone."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that it is about."""
        return self.target, self.source

    def says(self, table: Mapping[str, pa.Array]) -> np.ndarray:
        """Whether the target has to be missing, bool (B,)."""
        source = table[self.source]
        if self.values is None:
            return is_missing(source)
        wanted = from_plain(list(self.values), source.type)
        found = pc.is_in(as_lookup(source, source.type), value_set=wanted)
        return np.asarray(found.to_numpy(zero_copy_only=False), bool)

    def agrees(self, table: Mapping[str, pa.Array]) -> np.ndarray:
        """Of each row 1 where it keeps the rule, 0 where it breaks it, −1 where nothing is said."""
        missing, says = is_missing(table[self.target]), self.says(table)
        if self.exactly:
            return (missing == says).astype(np.int8)
        return np.where(says, missing.astype(np.int8), np.int8(-1))

    def __str__(self) -> str:
        word = "exactly where" if self.exactly else "where"
        if self.values is None:
            return f"missing: {quoted(self.target)} {word} {quoted(self.source)}"
        values = ", ".join(repr(value) for value in self.values)
        return f"missing: {quoted(self.target)} {word} {quoted(self.source)} is {values}"


@dataclass(frozen=True, slots=True)
class Bound:
    """That a column's numbers are never below, or never above, one number."""

    target: str
    sign: str
    """`>=`, `>`, `<=` or `<`."""
    limit: float

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's column that it is about."""
        return (self.target,)

    def agrees(self, table: Mapping[str, pa.Array]) -> np.ndarray:
        """Of each row 1 where it keeps the rule, 0 where it breaks it, −1 where nothing is said."""
        values = Values.of(table[self.target])
        return _verdict(values.known, _COMPARE[self.sign](values.numbers, self.limit))

    def __str__(self) -> str:
        return f"{quoted(self.target)} {self.sign} {self.limit:.12g}"


_COMPARE = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less}

Rule = Derived | Together | Missing | Bound
"""What a rule may be."""


def is_raised(rule: Rule) -> bool:
    """Whether a column is learned as it is and raised to those below it."""
    return isinstance(rule, Derived) and isinstance(rule.formula, Above) and not rule.formula.gap


def is_near(rule: Rule) -> TypeGuard[Derived]:
    """Whether a column is nearly what a formula says, and its residual is learned."""
    return isinstance(rule, Derived) and isinstance(rule.formula, Near)


def _same(
    found: np.ndarray, there: np.ndarray, kind: pa.DataType, decimals: int | None
) -> np.ndarray:
    """Whether numbers are the same within the rounding of a column, bool (B,)."""
    if pt.is_temporal(kind) or (found.dtype == np.int64 and there.dtype == np.int64):
        return np.asarray(found == there)
    relative = _RELATIVE_SINGLE if pt.is_float32(kind) or pt.is_float16(kind) else _RELATIVE
    slack = relative * np.maximum(np.abs(there), np.abs(found))
    if decimals is not None:
        slack = slack + 0.5 * 10.0**-decimals * (1 + 1e-6)
    return np.asarray(np.abs(found - there) <= slack)


def _verdict(said: np.ndarray, keeps: np.ndarray) -> np.ndarray:
    return np.where(said, keeps.astype(np.int8), np.int8(-1))


def is_missing(array: pa.Array) -> np.ndarray:
    """Whether values are null or NaN, bool (B,)."""
    missing = pc.is_null(array, nan_is_null=pt.is_floating(array.type))
    return np.asarray(missing.to_numpy(zero_copy_only=False), bool)


def to_dict(rule: Rule) -> dict[str, Any]:
    """A rule as plain JSON values."""
    match rule:
        case Derived():
            return {
                "rule": "derived",
                "target": rule.target,
                **formulas.to_dict(rule.formula),
                "decimals": rule.decimals,
                "otherwise": rule.otherwise,
                "absent": rule.absent,
            }
        case Missing():
            return {
                "rule": "missing",
                "target": rule.target,
                "source": rule.source,
                "values": None if rule.values is None else list(rule.values),
                "exactly": rule.exactly,
            }
        case Bound():
            return {"rule": "bound", **asdict(rule)}
    return {"rule": "together", **rule.to_dict()}


def from_dict(plain: Mapping[str, Any], types: Mapping[str, pa.DataType]) -> Rule:
    """The inverse of `to_dict`, for columns of these types."""
    rest = {name: value for name, value in plain.items() if name != "rule"}
    match plain["rule"]:
        case "derived":
            own = {name: rest.pop(name) for name in ("target", "decimals", "otherwise", "absent")}
            return Derived(formula=formulas.from_dict(rest), **own)
        case "missing":
            values = rest.pop("values")
            return Missing(values=None if values is None else tuple(values), **rest)
        case "bound":
            return Bound(**rest)
    return Together.from_dict(rest, types)
