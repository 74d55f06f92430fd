"""A table ⇄ what is learned of it: derived columns are left out, and come back by their rules.

Rules stand in an order in which each needs only what those before it and the learned columns give,
so that every row that comes back keeps all of them, and nearly those that are nearly kept.

Shapes: B rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.rules import rule as kinds
from gtcoder.rules.formula import computed
from gtcoder.rules.gap import Above, Gap
from gtcoder.rules.names import quoted
from gtcoder.rules.rule import Derived, Missing, Rule, is_missing, is_near, is_raised
from gtcoder.rules.tally import gap_of, gap_type, rest_of, says
from gtcoder.rules.together import Together
from gtcoder.rules.values import Values, instead, unit_ns, without
from gtcoder.table.types import flat

Refill = Callable[[str, np.ndarray], pa.Array]
"""Values of a learned column, none of them missing, for the rows of a mask (B,)."""


@dataclass(frozen=True)
class Rules:
    """The rules that a table's rows keep."""

    kept: tuple[Rule, ...] = ()
    """Those by which columns come back, in their order."""
    implied: tuple[Rule, ...] = ()
    """Those that follow from them."""

    @property
    def all(self) -> tuple[Rule, ...]:
        """Every rule that rows keep."""
        return *self.kept, *self.implied

    @cached_property
    def derived(self) -> Mapping[str, Derived | Together]:
        """The rule by which each column comes back that is not learned as it stands."""
        found: dict[str, Derived | Together] = {}
        for rule in self.kept:
            if isinstance(rule, Derived) and not is_raised(rule):
                found[rule.target] = rule
            elif isinstance(rule, Together):
                found |= dict.fromkeys(rule.columns, rule)
        return found

    def sources(self, name: str) -> list[str]:
        """The learned columns that a column follows from; of a learned one itself."""
        rule = self.derived.get(name)
        if isinstance(rule, Together):
            return [rule.name]
        if rule is None:
            return [name]
        found: list[str] = []
        for each in rule.formula.inputs:
            found += [source for source in self.sources(each) if source not in found]
        return (
            found
            + ([rest_name(name)] if rule.otherwise else [])
            + ([absent_name(name)] if rule.absent else [])
        )

    def learned_fields(self, schema: pa.Schema) -> list[pa.Field]:
        """What is learned of a table of a schema: names, types, and where in the table's order."""
        fields: list[pa.Field] = []
        for field in schema:
            rule = self.derived.get(field.name)
            if rule is None:
                fields.append(field)
            elif isinstance(rule, Together):
                code = pa.field(rule.name, pa.int64(), nullable=False)
                fields += [] if code in fields else [code]
            else:
                fields += fields_beside(rule, field)
        return fields

    @np.errstate(all="ignore")
    def learned(self, table: pa.Table | pa.RecordBatch) -> pa.Table:
        """What is learned of rows; less what follows from columns that are not there."""
        arrays = {name: flat(table.column(name)) for name in table.schema.names}
        types = {name: array.type for name, array in arrays.items()}
        found: dict[str, pa.Array] = {}
        for name, array in arrays.items():
            rule = self.derived.get(name)
            if rule is not None and not all(each in arrays for each in rule.columns):
                continue
            if rule is None:
                found[name] = array
            elif isinstance(rule, Together):
                if rule.name not in found:
                    found[rule.name] = pa.array(rule.encode(arrays, types))
            else:
                found |= _columns_beside(rule, arrays)
        return pa.table(found)

    @np.errstate(all="ignore")
    def whole(
        self,
        learned: Mapping[str, pa.Array],
        schema: pa.Schema,
        uniform: np.ndarray,
        refill: Refill,
    ) -> dict[str, pa.Array]:
        """The table's columns (B,) of what is learned of rows.

        Args:
            learned: by name.
            schema: the table's.
            uniform: a number in [0, 1) of each row's own, (B,).
            refill: gives values where a column may not be missing.
        """
        types = {field.name: field.type for field in schema}
        found = dict(learned)
        for rule in self.kept:
            match rule:
                case Together():
                    found |= rule.decode(found[rule.name].to_numpy(), uniform, types)
                case Missing():
                    found[rule.target] = self._made_missing(rule, found, types[rule.target], refill)
                case Derived():
                    found[rule.target] = _derive(rule, found, types[rule.target])
        return found

    def _made_missing(
        self, rule: Missing, found: Mapping[str, pa.Array], kind: pa.DataType, refill: Refill
    ) -> pa.Array:
        """A column that is missing where it has to be, and where it has to, only there."""
        target, has_to = found[rule.target], rule.says(found)
        if rule.exactly:
            lacking = is_missing(target) & ~has_to
            if lacking.any():
                target = self._filled(rule.target, lacking, found, kind, refill)
        return without(target, has_to) if has_to.any() else target

    def _filled(
        self,
        name: str,
        lacking: np.ndarray,
        found: Mapping[str, pa.Array],
        kind: pa.DataType,
        refill: Refill,
    ) -> pa.Array:
        """A column with values where it lacks them, above those that it has to be above."""
        ruled = [r for r in self.kept if isinstance(r, Derived) and r.target == name]
        learned = [name]
        if ruled and not is_raised(first := ruled[0]):
            assert isinstance(first.formula, Gap), "what is computed lacks what it follows from"
            learned = [first.formula.gap, *([rest_name(name)] if first.otherwise else [])]
        filled = {each: instead(found[each], refill(each, lacking), lacking) for each in learned}
        whole = {**found, **filled}
        for rule in ruled:
            whole[name] = _derive(rule, whole, kind)
        return whole[name]

    @np.errstate(all="ignore")
    def broken(self, table: Mapping[str, pa.Array]) -> Iterator[tuple[Rule, np.ndarray]]:
        """Each rule that is kept, and which rows break it, bool (B,).

        No row breaks a rule by which a column is nearly what others say.

        Args:
            table: the table's columns.
        """
        types = {name: array.type for name, array in table.items()}
        for rule in self.kept:
            if isinstance(rule, Together):
                yield rule, ~rule.says(table, types)
            elif not is_near(rule):
                yield rule, rule.agrees(table) == 0

    def follow(self, found: Mapping[str, pa.Array], schema: pa.Schema) -> dict[str, pa.Array]:
        """Some columns, and all that follow from them alone (B,)."""
        known = dict(found)
        types = {field.name: field.type for field in schema}
        for rule in self.kept:
            match rule:
                case Together() if rule.name in known:
                    middle = np.full(len(known[rule.name]), 0.5)
                    known |= rule.decode(known[rule.name].to_numpy(), middle, types)
                case Derived() if all(name in known for name in rule.formula.inputs):
                    if is_raised(rule) and rule.target not in known:
                        continue
                    if not (rule.otherwise or rule.absent):
                        known[rule.target] = _derive(rule, known, types[rule.target])
        return known

    def to_dict(self) -> dict[str, Any]:
        """The rules as plain JSON values."""
        return {
            "kept": [kinds.to_dict(rule) for rule in self.kept],
            "implied": [kinds.to_dict(rule) for rule in self.implied],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], schema: pa.Schema) -> Self:
        """The inverse of `to_dict`, for a table of a schema."""
        types = {field.name: field.type for field in schema}
        kept, implied = (
            tuple(kinds.from_dict(rule, types) for rule in plain[part])
            for part in ("kept", "implied")
        )
        return cls(kept, implied)


def rest_name(target: str) -> str:
    """What a derived column's own values are called among what is learned."""
    return f"{target} otherwise"


def absent_name(target: str) -> str:
    """What it is called among what is learned that a derived column is missing."""
    return f"{target} missing"


def gap_name(target: str, lows: Sequence[str]) -> str:
    """What the gap of a column above others is called among what is learned."""
    return f"{quoted(target)} above {', '.join(map(quoted, lows))}"


def fields_beside(rule: Derived, field: pa.Field) -> list[pa.Field]:
    """What is learned beside a derived column, in its place."""
    fields = []
    if isinstance(rule.formula, Gap):
        fields.append(pa.field(rule.formula.gap, gap_type(field.type)))
    if rule.otherwise:
        fields.append(pa.field(rest_name(rule.target), field.type))
    if rule.absent:
        fields.append(pa.field(absent_name(rule.target), pa.bool_()))
    return fields


def _columns_beside(rule: Derived, arrays: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """The same of rows."""
    found = {}
    if isinstance(rule.formula, Gap):
        found[rule.formula.gap] = gap_of(rule, arrays)
    if rule.otherwise:
        found[rest_name(rule.target)] = rest_of(rule, arrays)
    if rule.absent:
        gone = says(rule, arrays) & is_missing(arrays[rule.target])
        found[absent_name(rule.target)] = pa.array(gone)
    return found


def _derive(rule: Derived, found: Mapping[str, pa.Array], kind: pa.DataType) -> pa.Array:
    """A derived column, with what is learned beside it."""
    if is_raised(rule):
        return _raised(rule, found, kind)
    said = computed(rule.formula, found, kind, rule.decimals)
    if rule.absent:
        gone = found[absent_name(rule.target)].to_numpy(zero_copy_only=False).astype(bool)
        said = without(said, gone)
    if rule.otherwise:
        own = found[rest_name(rule.target)]
        said = instead(said, own.cast(said.type), ~says(rule, found))
    return said


def _raised(rule: Derived, found: Mapping[str, pa.Array], kind: pa.DataType) -> pa.Array:
    """A column raised on its own grid to those below it, and past them where it has to be above."""
    assert isinstance(rule.formula, Above), "nothing else raises"
    own, low = Values.of(found[rule.target]), rule.formula.start(found)
    least = _on_grid(low.numbers, kind, rule.decimals, past=rule.formula.strict)
    below = own.known & low.known & (own.numbers < least)
    if not below.any():
        return found[rule.target]
    raised = Values(np.where(below, least, own.numbers), own.known).array(kind, rule.decimals)
    return instead(found[rule.target], raised, below)


def _on_grid(
    numbers: np.ndarray, kind: pa.DataType, decimals: int | None, *, past: bool
) -> np.ndarray:
    """The least number of a column's grid that is not below each, or is above it, (B,)."""
    if pt.is_temporal(kind):
        unit = unit_ns(kind)
        return np.asarray((numbers // unit + 1 if past else -(-numbers // unit)) * unit)
    if decimals is None:
        return np.nextafter(numbers, np.inf) if past else numbers
    scale = 10.0**decimals
    ticks = np.rint(numbers * scale)
    short = ticks / scale <= numbers if past else ticks / scale < numbers
    return np.asarray((ticks + short) / scale)
