"""The sampled rows as the searches see them: numbers in a matrix, values as codes, and evidence.

Shapes: B rows, C columns of numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.rules.formula import Formula
from gtcoder.rules.rule import Derived, is_missing
from gtcoder.rules.tally import says
from gtcoder.rules.values import Values, has_values, is_moment, is_span
from gtcoder.schema.kind import UNLEARNED, Kind
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.lookup import as_lookup

MOST_NUMBERS = 256
"""Columns of numbers among which arithmetic is searched."""
BITS = 48.0
"""How unlikely chance has to be: 2^−`BITS` that a formula holds in all the rows that it does."""
_PROBES = 8
FEW = 64
"""Rows that most of what does not hold is dropped by."""


@dataclass(frozen=True)
class Seen:
    """What is seen of a table's columns in a sample of its rows."""

    schema: Schema
    sketch: TableSketch
    left_out: frozenset[str] = frozenset()
    """Columns that are not looked at."""

    @cached_property
    def sample(self) -> pa.Table:
        """The rows that are seen."""
        return self.sketch.sample.rows.combine_chunks()

    @cached_property
    def arrays(self) -> Mapping[str, pa.Array]:
        """The columns of the sample (B,)."""
        rows = self.sample
        return {
            name: rows[name].combine_chunks()
            for name in self.schema.names
            if name in rows.column_names and name not in self.left_out
        }

    @cached_property
    def few(self) -> Mapping[str, pa.Array]:
        """The same of a few rows, enough to drop what does not hold."""
        return {name: array.slice(0, FEW) for name, array in self.arrays.items()}

    @property
    def rows(self) -> int:
        """How many rows are seen."""
        return int(self.sample.num_rows)

    @cached_property
    def learned(self) -> list[str]:
        """Columns that the network sees, in the table's order."""
        kept = (c for c in self.schema.columns if c.kind not in UNLEARNED)
        return [column.name for column in kept if column.name in self.arrays]

    @cached_property
    def numbers(self) -> list[str]:
        """Those that hold numbers, moments or spans of two values or more, at most so many."""
        found = []
        for name in self.learned:
            kind = self.schema[name].type
            if has_values(kind) and not pt.is_boolean(kind) and len(self.codes[name][1]) > 1:
                found.append(name)
        return found[:MOST_NUMBERS]

    @cached_property
    def constants(self) -> list[str]:
        """Columns of one whole number."""
        columns = [c for c in self.schema.columns if c.kind is Kind.CONSTANT]
        return [c.name for c in columns if pt.is_integer(c.type) and c.name in self.arrays]

    @cached_property
    def values(self) -> Mapping[str, Values]:
        """The values of columns of numbers, of constants too."""
        return {name: Values.of(self.arrays[name]) for name in (*self.numbers, *self.constants)}

    @cached_property
    def matrix(self) -> np.ndarray:
        """The numbers, NaN where unknown, float64 (B, C).

        Moments are seconds since the first of all, spans seconds, so that floats hold them.
        """
        moments = [name for name in self.numbers if self.role(name) == "moment"]
        known = [self.values[n].numbers[self.values[n].known] for n in moments]
        start = min((int(each.min()) for each in known if len(each)), default=0)
        columns = []
        for name in self.numbers:
            values, role = self.values[name], self.role(name)
            numbers = values.numbers - (start if role == "moment" else 0)
            numbers = numbers / 1e9 if role != "number" else numbers.astype(np.float64)
            columns.append(np.where(values.known, numbers, np.nan))
        return np.stack(columns, 1) if columns else np.zeros((self.rows, 0))

    def role(self, name: str) -> str:
        """What a column of numbers holds: `number`, `moment`, `span`, or `time` of day."""
        kind = self.schema[name].type
        if is_moment(kind):
            return "moment"
        if is_span(kind):
            return "span"
        return "time" if pt.is_time(kind) else "number"

    def decimals(self, name: str) -> int | None:
        """The rounding of a column of numbers; None where it has none."""
        kind, numbers = self.schema[name].type, self.sketch.columns[name].numbers
        if pt.is_decimal(kind):
            return int(kind.scale)
        if numbers is None or not numbers.lattice.regular:
            return None
        return numbers.lattice.decimals

    def spread(self, name: str) -> float:
        """The standard deviation of a column of numbers, in its own unit or seconds."""
        column = self.matrix[:, self.numbers.index(name)]
        known = column[~np.isnan(column)]
        return float(known.std()) if len(known) else 0.0

    @cached_property
    def codes(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """Each column's values as codes (B,), and how often each occurs; null is a value too."""
        found = {}
        for name, array in self.arrays.items():
            words = as_lookup(array, array.type).dictionary_encode(null_encoding="encode")
            codes = words.indices.to_numpy(zero_copy_only=False).astype(np.int32)
            found[name] = codes, np.bincount(codes)
        return found

    def missing(self, name: str) -> np.ndarray:
        """Where a column is missing, bool (B,)."""
        return is_missing(self.arrays[name])

    def probes(self, known: np.ndarray, place: int = 0) -> np.ndarray:
        """A few of the rows that are known, drawn at random but always the same."""
        at = np.flatnonzero(known)
        if len(at) <= _PROBES:
            return at
        return np.sort(np.random.default_rng(place).choice(at, _PROBES, replace=False))

    def convinces(self, rule: Derived) -> bool:
        """Whether a formula holds in all rows seen, and in so many that it cannot be chance.

        Chance would have to give the column's value again and again: with −log2 Σ_v p_v² bits for
        each row whose inputs are new, p_v being the shares of its values.
        """
        verdicts = rule.agrees(self.arrays)
        if (verdicts == 0).any() or not (verdicts == 1).any():
            return False
        kept = verdicts == 1
        values = self.codes[rule.target][0][kept]
        shares = np.bincount(values) / len(values)
        inputs = np.stack([self.codes[name][0][kept] for name in rule.formula.inputs], 1)
        different = len(np.unique(inputs, axis=0))
        return different * -math.log2(float((shares**2).sum()) + 1e-12) >= BITS

    def convincing(self, target: str, formula: Formula) -> Derived | None:
        """The rule that a formula gives a column, if it convinces and gives most of its values."""
        rule = Derived(target, formula, self.decimals(target))
        if not self.convinces(rule):
            return None
        there = ~self.missing(target)
        mostly = (says(rule, self.arrays) & there).sum() >= 0.5 * there.sum()
        return rule if mostly else None
