"""How many rows keep a rule, and what else of them has to be known: mergeable, in any order.

Shapes: B rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Self

import numpy as np
import pyarrow as pa

from gtcoder.rules.formula import Copy
from gtcoder.rules.gap import Gap
from gtcoder.rules.rule import Bound, Derived, Missing, Rule, is_missing
from gtcoder.rules.together import ROWS, lookup_columns
from gtcoder.rules.values import Values, without
from gtcoder.sketch.column import ColumnSketch
from gtcoder.table.types import flat

MOST_COMBINATIONS = 65_536
"""Of more, columns are not kept together."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What the rows of a table, or of a part of it, say of one rule."""

    kept: int = 0
    broken: int = 0
    silent: int = 0
    """Rows of which the rule says nothing."""
    otherwise: int = 0
    """Rows with a value of a derived column where its formula says nothing."""
    absent: int = 0
    """Rows without a value of a derived column where its formula says something."""
    gap: ColumnSketch | None = None
    """Of the gap above other columns, or of the residual."""
    rest: ColumnSketch | None = None
    """Of a derived column's values where its formula says nothing; missing in other rows."""
    combinations: pa.Table | None = None
    """Distinct combinations and their rows; None where they are too many."""

    @classmethod
    @np.errstate(all="ignore")
    def of(cls, rule: Rule, table: Mapping[str, pa.Array]) -> Self:
        """The tally of one part of a table."""
        match rule:
            case Derived():
                return cls._of_derived(rule, table)
            case Missing() | Bound():
                return cls._of_verdicts(rule.agrees(table))
        types = {name: table[name].type for name in rule.columns}
        counted = lookup_columns(table, rule.columns, types).group_by(list(rule.columns))
        found = counted.aggregate([([], "count_all")]).rename_columns([*rule.columns, ROWS])
        return cls._of_combinations(
            found.select([*rule.columns, ROWS]), len(table[rule.columns[0]])
        )

    @classmethod
    def _of_derived(cls, rule: Derived, table: Mapping[str, pa.Array]) -> Self:
        counted = cls._of_verdicts(rule.agrees(table))
        said = says(rule, table)
        missing = is_missing(table[rule.target])
        otherwise = ~said & ~missing
        has_gap = isinstance(rule.formula, Gap) and bool(rule.formula.gap)
        gap = ColumnSketch.of(gap_of(rule, table)) if has_gap else None
        return cls(
            kept=counted.kept,
            broken=counted.broken,
            silent=counted.silent,
            otherwise=int(otherwise.sum()),
            absent=int((said & missing).sum()),
            gap=gap,
            rest=ColumnSketch.of(rest_of(rule, table)),
        )

    @classmethod
    def _of_verdicts(cls, verdicts: np.ndarray) -> Self:
        broken, kept = int((verdicts == 0).sum()), int((verdicts == 1).sum())
        return cls(kept=kept, broken=broken, silent=len(verdicts) - kept - broken)

    @classmethod
    def _of_combinations(cls, found: pa.Table | None, rows: int) -> Self:
        if found is not None and len(found) > MOST_COMBINATIONS:
            found = None
        return cls(kept=rows, combinations=found)

    def merge(self, other: Self) -> Self:
        """The tally of both parts together."""
        combinations = None
        if self.combinations is not None and other.combinations is not None:
            combinations = _summed(self.combinations, other.combinations)
            if len(combinations) > MOST_COMBINATIONS:
                combinations = None
        return type(self)(
            kept=self.kept + other.kept,
            broken=self.broken + other.broken,
            silent=self.silent + other.silent,
            otherwise=self.otherwise + other.otherwise,
            absent=self.absent + other.absent,
            gap=self.gap and other.gap and self.gap.merge(other.gap),
            rest=self.rest and other.rest and self.rest.merge(other.rest),
            combinations=combinations,
        )


def tallied(rules: Sequence[Rule], table: pa.Table) -> list[Tally]:
    """The tallies of rules over one part of a table."""
    arrays = {name: flat(table[name]) for name in table.column_names}
    return [Tally.of(rule, arrays) for rule in rules]


def all_merged(parts: Sequence[Sequence[Tally]]) -> list[Tally]:
    """The tallies of the same rules over all parts."""
    return [reduce(Tally.merge, each) for each in zip(*parts, strict=True)]


def says(rule: Derived, table: Mapping[str, pa.Array]) -> np.ndarray:
    """Whether a formula says something of rows, bool (B,); of a gap, whether its start is known."""
    if isinstance(rule.formula, Gap):
        return rule.formula.start(table).known
    if isinstance(rule.formula, Copy):
        return ~is_missing(table[rule.formula.of_column])
    return rule.formula.of(table).known


def gap_of(rule: Derived, table: Mapping[str, pa.Array]) -> pa.Array:
    """How far a column is from what it is counted from: in its own unit, missing where that is."""
    assert isinstance(rule.formula, Gap)
    low, high = rule.formula.start(table), Values.of(table[rule.target])
    values = Values(high.numbers - low.numbers, low.known & high.known)
    return values.array(gap_type(table[rule.target].type), rule.decimals)


def gap_type(kind: pa.DataType) -> pa.DataType:
    """The type of the differences of a type's values."""
    if pa.types.is_date(kind):
        return pa.duration("s")
    if pa.types.is_timestamp(kind):
        return pa.duration(kind.unit)
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.float64() if pa.types.is_floating(kind) else kind


def rest_of(rule: Derived, table: Mapping[str, pa.Array]) -> pa.Array:
    """A derived column's values where its formula says nothing; missing in other rows."""
    return without(table[rule.target], says(rule, table))


def _summed(one: pa.Table, other: pa.Table) -> pa.Table:
    columns = [name for name in one.column_names if name != ROWS]
    both = pa.concat_tables([one, other]).group_by(columns).aggregate([(ROWS, "sum")])
    return both.rename_columns([*columns, ROWS]).select([*columns, ROWS])
