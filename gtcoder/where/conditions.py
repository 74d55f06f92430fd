"""What is asked of rows, as a sampler uses it: what fields must be, and what to see in whole rows.

Shapes: B rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.codec.layout import Constraint
from gtcoder.table.lookup import as_lookup
from gtcoder.table.ticks import plain_values, to_ticks
from gtcoder.where.literal import TickRange


@dataclass(frozen=True)
class Check:
    """What a column of whole rows must be, where no field says it alone."""

    name: str
    missing: bool
    """Whether it may be missing."""
    ranges: Sequence[TickRange] = ()
    """Of numbers: ticks, ends included, of which any will do."""
    words: pa.Array | None = None
    """Of categories: those of which any will do, in the column's lookup type."""

    def met(self, array: pa.Array) -> np.ndarray:
        """Whether values meet it, bool (B,)."""
        plain = plain_values(array)
        absent = pc.is_null(plain, nan_is_null=pt.is_floating(plain.type))
        if self.words is not None:
            found = pc.is_in(as_lookup(array, array.type), value_set=self.words)
            inside = found.to_numpy(zero_copy_only=False)
        else:
            ticks = to_ticks(plain)
            each = [(ticks >= low) & (ticks <= high) for low, high in self.ranges]
            inside = np.logical_or.reduce(each) if each else np.zeros(len(ticks), bool)
        return np.where(absent.to_numpy(zero_copy_only=False), self.missing, inside)


@dataclass(frozen=True)
class Conditions:
    """What rows must be like."""

    fields: Mapping[int, Constraint] = field(default_factory=dict)
    """What fields must be, by their places."""
    checks: tuple[Check, ...] = ()
    """What is seen to in whole rows: those that do not meet it are drawn anew."""
    mix: tuple[int, np.ndarray] | None = None
    """A field, and the share that rows of each of its codes are to have, float64 (V,)."""

    def met(self, table: pa.Table) -> np.ndarray:
        """Whether whole rows meet the checks, bool (B,)."""
        met = np.ones(len(table), bool)
        for check in self.checks:
            met &= check.met(table[check.name].combine_chunks())
        return met
