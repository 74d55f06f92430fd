"""What is learned of a table whose rules are known: its columns, and the sketch of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from gtcoder.rules.gap import Gap
from gtcoder.rules.rule import Derived, Rule
from gtcoder.rules.rules import Rules, absent_name, rest_name
from gtcoder.rules.tally import Tally
from gtcoder.rules.together import ROWS, Together
from gtcoder.schema.kind import Kind, kind_of_type
from gtcoder.schema.schema import Column, Schema
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.counts import Counts
from gtcoder.sketch.distinct import Distinct, hash_numbers
from gtcoder.sketch.table import TableSketch


@dataclass(frozen=True)
class FoundRules:
    """A table's rules, and what was counted of each, by how it is written."""

    rules: Rules = field(default_factory=Rules)
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    """Rules that all rows keep, but that cannot be kept beside the others."""
    broken: Mapping[str, int] = field(default_factory=dict)
    """How many rows break a rule that is kept all the same."""

    def sketches(self, sketch: TableSketch) -> dict[str, ColumnSketch]:
        """The sketches of what is learned, by name, given that of the table."""
        found = dict(sketch.columns)
        for rule in self.rules.kept:
            tally = self.tallies.get(str(rule))
            if isinstance(rule, Together):
                assert tally is not None, "what is kept was counted"
                assert tally.combinations is not None, "too many are not kept"
                found[rule.name] = _of_codes(rule, tally.combinations)
            elif isinstance(rule, Derived):
                found |= _beside(rule, tally, sketch.rows)
        return found


def learned_columns(schema: Schema, rules: Rules) -> tuple[Column, ...]:
    """The columns that are learned of a table with a schema."""
    own = {column.name: column for column in schema.columns}
    return tuple(
        own[each.name]
        if each.name in own and each.name not in rules.derived
        else Column(
            name=each.name,
            kind=_kind(each, own, rules.kept),
            type=each.type,
            nullable=each.nullable,
        )
        for each in rules.learned_fields(schema.arrow)
    )


def _kind(found: pa.Field, own: Mapping[str, Column], rules: Sequence[Rule]) -> Kind:
    for rule in rules:
        if isinstance(rule, Together) and found.name == rule.name:
            return Kind.CATEGORICAL
        if isinstance(rule, Derived) and found.name == rest_name(rule.target):
            return own[rule.target].kind
        if isinstance(rule, Derived) and found.name == absent_name(rule.target):
            return Kind.BOOLEAN
    return kind_of_type(found.type)


def _beside(rule: Derived, tally: Tally | None, rows: int) -> dict[str, ColumnSketch]:
    """The sketches of what is learned beside a derived column."""
    found: dict[str, ColumnSketch] = {}
    if tally is None:
        return found
    if isinstance(rule.formula, Gap) and rule.formula.gap and tally.gap is not None:
        found[rule.formula.gap] = tally.gap
    if rule.otherwise and tally.rest is not None:
        found[rest_name(rule.target)] = tally.rest
    if rule.absent:
        counts = Counts(pa.array([False, True]), np.array([rows - tally.absent, tally.absent]))
        found[absent_name(rule.target)] = _counted(pa.bool_(), counts)
    return found


def _of_codes(rule: Together, combinations: pa.Table) -> ColumnSketch:
    """The sketch of the code of columns that are kept together, in the order of the codes."""
    arrays = {name: combinations[name].combine_chunks() for name in rule.columns}
    codes = rule.encode(arrays, {name: array.type for name, array in arrays.items()})
    rows = np.bincount(codes, combinations[ROWS].to_numpy(), rule.codes).astype(np.int64)
    there = np.flatnonzero(rows)
    counts = Counts(pa.array(there, pa.int64()), rows[there])
    return _counted(pa.int64(), counts, tuple(there.tolist()))


def _counted(
    kind: pa.DataType, counts: Counts, ranking: tuple[object, ...] | None = None
) -> ColumnSketch:
    hashes = Distinct.of(hash_numbers(np.arange(len(counts.counts))), counts.counts)
    rows = int(counts.counts.sum())
    return ColumnSketch(kind, rows, 0, counts, hashes, ranking=ranking)
