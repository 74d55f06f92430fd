"""Formulas that leave a gap to be learned in a column's place.

Shapes: B rows.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gtcoder.rules.arithmetic import Linear, Power
from gtcoder.rules.names import quoted
from gtcoder.rules.values import Values


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
    def beside(self) -> tuple[str, ...]:
        """The table's columns it is of."""
        return self.lows

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of, the gap included."""
        return (*self.lows, self.gap) if self.gap else self.lows

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """max(x_i) + gap."""
        low, gap = self.start(columns), Values.of(columns[self.gap])
        return Values(low.numbers + gap.numbers, low.known & gap.known)

    def start(self, columns: Mapping[str, pa.Array]) -> Values:
        """max(x_i), known where all are."""
        each = [Values.of(columns[name]) for name in self.lows]
        return Values(
            np.maximum.reduce([values.numbers for values in each]),
            np.logical_and.reduce([values.known for values in each]),
        )

    def __str__(self) -> str:
        lows = ", ".join(map(quoted, self.lows))
        return f"at least {lows}"


@dataclass(frozen=True, slots=True)
class Near:
    """f(x) + residual, where f nearly gives the column and the residual is learned in its place.

    What comes back is never beyond the column's ends, and stands on its grid.
    """

    base: Linear | Power
    """f."""
    gap: str
    """The residual's name among what is learned."""
    step: float | None = None
    """Of the column's grid, if it has one; f is rounded to it."""
    anchor: float = 0.0
    """A value on that grid."""
    within: float = 0.0
    """19 of 20 rows are no further off."""
    low: float | None = None
    """The column's lower end, if it is known."""
    high: float | None = None

    @property
    def beside(self) -> tuple[str, ...]:
        """The table's columns it is of."""
        return self.base.inputs

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is of, the residual included."""
        return (*self.base.inputs, self.gap)

    def of(self, columns: Mapping[str, pa.Array]) -> Values:
        """f(x) + residual, from the column's lower end to its upper one."""
        start, gap = self.start(columns), Values.of(columns[self.gap])
        numbers = np.clip(start.numbers + gap.numbers, self.low, self.high)
        return Values(numbers, start.known & gap.known)

    def start(self, columns: Mapping[str, pa.Array]) -> Values:
        """f(x) on the column's grid."""
        values = self.base.of(columns)
        numbers = values.numbers.astype(np.float64)
        if self.step is not None:
            numbers = np.rint((numbers - self.anchor) / self.step) * self.step + self.anchor
        known = values.known & np.isfinite(numbers)
        return Values(np.where(known, numbers, 0.0), known)

    def __str__(self) -> str:
        return str(self.base)


Gap = Above | Near
"""Formulas that leave a gap."""


def residual_name(target: str, names: Container[str]) -> str:
    """What the residual of a column that others nearly give is called among what is learned.

    Args:
        target: the column.
        names: of the table's columns, of which it is none.
    """
    name = f"{target} residual"
    while name in names:
        name += "_"
    return name
