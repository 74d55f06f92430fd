"""How one column follows from others: formulas, each as it is written and as it is computed.

Values are in natural units; moments and spans are nanoseconds. What a formula cannot say of a row
is unknown there.

Shapes: B rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from gtcoder.rules.arithmetic import Linear, Power, Product, Quotient, Ratio, Remainder, as_written
from gtcoder.rules.calendar import Clock, Moment, Part
from gtcoder.rules.gap import Above, Near
from gtcoder.rules.names import quoted
from gtcoder.rules.values import Values


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
        edges = ", ".join(map(as_written, self.edges))
        return f"bins({quoted(self.of_column)}, [{edges}], {list(self.labels)})"


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
    "near": Near,
    "power": Power,
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
    each = {field.name: getattr(formula, field.name) for field in fields(formula)}  # type: ignore[arg-type]
    return {"formula": name, **{name: _plain_of(value) for name, value in each.items()}}


def from_dict(plain: Mapping[str, Any]) -> Formula:
    """The inverse of `to_dict`."""
    rest = {name: _value_of(value) for name, value in plain.items() if name != "formula"}
    formula: Formula = FORMULAS[plain["formula"]](**rest)
    return formula


def _plain_of(value: Any) -> Any:
    return to_dict(value) if isinstance(value, Linear | Power) else value


def _value_of(value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_dict(value)
    return tuple(map(_value_of, value)) if isinstance(value, list) else value
