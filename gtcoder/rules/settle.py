"""From candidates that were counted over all rows to the rules that are kept, in a stated order.

A rule is taken where no row breaks it, or no more than are tolerated, and where the column that it
gives is not needed, directly or not, for what gives it. What then follows from the rules taken is
found by putting rows together anew out of columns that have nothing to do with one another.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.rules.calendar import Moment
from gtcoder.rules.formula import Bins
from gtcoder.rules.gap import Above, Gap, Near
from gtcoder.rules.rule import Bound, Derived, Missing, Rule, is_near, is_raised
from gtcoder.rules.rules import Rules
from gtcoder.rules.tally import Tally
from gtcoder.rules.together import ROWS, Together
from gtcoder.schema.schema import Schema
from gtcoder.sketch.support import natural_ends
from gtcoder.sketch.table import TableSketch
from gtcoder.table.lookup import as_lookup, from_plain
from gtcoder.table.types import value_type

COVERED = 0.8
"""Of the rows, so many have to be of combinations that enough of them share."""
NEARLY = 0.9
"""Of the rows, so many have to be about as near as the formula's `within` says."""
MOST_NAMED = 4_096
"""Combinations with a code of their own."""


@dataclass
class _Settling:
    """What is taken so far."""

    schema: Schema
    given: dict[str, set[str]] = field(default_factory=dict)
    """Columns that rules give, and what each needs."""
    bound: set[str] = field(default_factory=set)
    """Columns that stand in combinations."""
    rules: list[Rule] = field(default_factory=list)
    missing: dict[str, set[str]] = field(default_factory=dict)
    """Columns that are made missing, and after which."""

    def needs(self, name: str) -> set[str]:
        """All that a column follows from or has to wait for, directly or not."""
        found: set[str] = set()
        left = [name]
        while left:
            for each in (*self.given.get(at := left.pop(), ()), *self.missing.get(at, ())):
                if each not in found:
                    found.add(each)
                    left.append(each)
        return found

    def free(self, name: str) -> bool:
        """Whether nothing gives a column yet."""
        return name not in self.given and name not in self.bound

    def give(self, rule: Derived) -> bool:
        """Take a formula, if it can be."""
        inputs = set(rule.columns[1:])
        if not self.free(rule.target) or rule.target in inputs:
            return False
        if any(rule.target in self.needs(name) for name in inputs):
            return False
        self.given[rule.target] = inputs
        self.rules.append(rule)
        return True

    def raise_above(self, rule: Derived) -> None:
        """Keep an order by raising a column that others nearly give, if it can be."""
        near = next((r for r in self.rules if is_near(r) and r.target == rule.target), None)
        lows = set(rule.columns[1:])
        if near is not None and not any(rule.target in self.needs(low) for low in lows):
            assert isinstance(rule.formula, Above)
            formula = dataclasses.replace(rule.formula, gap="")
            self.given[rule.target] |= lows
            self.rules.append(Derived(rule.target, formula, near.decimals))


@np.errstate(all="ignore")
def settled(
    candidates: Sequence[Rule],
    tallies: Sequence[Tally],
    schema: Schema,
    sketch: TableSketch,
    *,
    min_rows: int,
    tolerance: float,
) -> tuple[Rules, list[Rule]]:
    """The rules that are kept, and those that hold but cannot be kept beside them.

    Args:
        candidates: in the order in which they are preferred.
        tallies: of each, over all rows.
        schema: of the table.
        sketch: of the table; its sample shows what follows from what.
        min_rows: combinations that fewer rows share are not written down.
        tolerance: share of the rows of which a formula, an order or a rule on missing values says
            something that may break it; those then keep it in what is generated.
    """
    state, sample = _Settling(schema), sketch.sample.rows
    held = [
        _completed(rule, tally, sketch, min_rows)
        for rule, tally in zip(candidates, tallies, strict=True)
        if _holds(rule, tally, sketch, tolerance, min_rows) and is_shared(rule, sketch, min_rows)
    ]
    calendars = {rule.columns: rule for rule in held if isinstance(rule, Together)}
    for rule in held:
        if isinstance(rule, Derived) and not isinstance(rule.formula, Gap):
            _take_formula(state, rule, calendars)
    for rule in held:
        if isinstance(rule, Together) and all(map(state.free, rule.columns)):
            state.bound |= set(rule.columns)
            state.rules.append(rule)
    lacking = [rule for rule in held if isinstance(rule, Missing)]
    for rule in lacking:
        _take_missing(state, rule, lacking)
    for rule in held:
        if is_near(rule):
            state.give(rule)
    orders = [r for r in held if isinstance(r, Derived) and isinstance(r.formula, Above)]
    for rule in sorted(orders, key=lambda rule: told(rule, orders)):  # first those that say more
        broken = _broken(Rules(tuple(_ordered(state))), [rule], sample)
        if broken and not state.give(rule):
            state.raise_above(rule)
    kept = tuple(_ordered(state))
    names = set(map(str, kept))
    rest = [r for r in held if str(r) not in names and not told(r, held) and not is_near(r)]
    broken = _broken(Rules(kept), rest, sample)
    checked = (r for r in rest if r not in broken and not isinstance(r, Together))
    return Rules(kept, tuple(checked)), broken


def told(rule: Rule, others: Sequence[Rule]) -> bool:
    """Whether another rule of the same kind says as much and more."""
    match rule:
        case Derived(formula=Above() as weak):
            return any(
                isinstance(other, Derived)
                and isinstance(strong := other.formula, Above)
                and other.target == rule.target
                and other is not rule
                and set(weak.lows) <= set(strong.lows)
                and (strong.strict, len(strong.lows)) >= (weak.strict, len(weak.lows))
                for other in others
            )
        case Bound(sign=">="):
            return Bound(rule.target, ">", rule.limit) in others
    return False


def _holds(rule: Rule, tally: Tally, sketch: TableSketch, tolerance: float, min_rows: int) -> bool:
    if isinstance(rule, Together):
        named = _named(tally.combinations, min_rows)
        return len(named) > 1 and _rows(named) >= COVERED * tally.kept
    if is_near(rule):
        own = sketch.columns[rule.target]
        beyond = tally.silent - tally.otherwise - own.nulls - own.nans
        near = tally.kept >= NEARLY * (tally.kept + tally.broken) > 0
        return near and beyond <= 0  # infinities, and numbers that floats do not hold, have none
    return tally.kept > 0 and tally.broken <= tolerance * (tally.kept + tally.broken)


def is_shared(rule: Rule, sketch: TableSketch, min_rows: int) -> bool:
    """Whether enough rows have each value that a rule writes down."""
    match rule:
        case Missing(values=tuple() as values):
            column = sketch.columns[rule.source]
        case Derived(formula=Bins(labels=values)):
            column = sketch.columns[rule.target]
        case _:
            return True
    kind = column.type
    known = as_lookup(column.counts.values, kind)
    wanted = (
        as_lookup(pa.array(values, value_type(kind)), kind)
        if isinstance(rule, Derived)
        else from_plain(list(values), kind)
    )
    places = pc.index_in(wanted, value_set=known)
    if places.null_count:
        return False
    return bool((column.counts.counts[places.to_numpy()] >= min_rows).all())


def _completed(rule: Rule, tally: Tally, sketch: TableSketch, min_rows: int) -> Rule:
    """The rule with what was learned of it in the count."""
    match rule:
        case Together():
            named = _named(tally.combinations, min_rows)
            return dataclasses.replace(rule, combinations=named)
        case Derived():
            absent = tally.absent > 0 and not isinstance(rule.formula, Gap)
            otherwise = tally.otherwise > 0 and not is_raised(rule)
            if isinstance(rule.formula, Near):
                low, high = natural_ends(sketch.columns[rule.target], min_rows)
                rule = dataclasses.replace(
                    rule, formula=dataclasses.replace(rule.formula, low=low, high=high)
                )
            return dataclasses.replace(rule, otherwise=otherwise, absent=absent)
    return rule


def _named(combinations: pa.Table | None, min_rows: int) -> pa.Table:
    """The commonest combinations that enough rows share, in rising order of their columns."""
    if combinations is None:
        return pa.table({ROWS: pa.array([], pa.int64())})
    columns = [name for name in combinations.column_names if name != ROWS]
    rows = combinations[ROWS].to_numpy()
    named = combinations.filter(pa.array(rows >= min_rows))
    in_order = [(name, "ascending") for name in columns]
    named = named.sort_by([(ROWS, "descending"), *in_order]).slice(0, MOST_NAMED)
    return named.sort_by(in_order).combine_chunks()


def _rows(combinations: pa.Table) -> int:
    return int(combinations[ROWS].to_numpy().sum())


def _take_formula(
    state: _Settling, rule: Derived, calendars: Mapping[tuple[str, ...], Together]
) -> None:
    """Take a formula; of a moment, where the days that there are can be kept."""
    if not isinstance(rule.formula, Moment):
        state.give(rule)
        return
    days = [name for part, name in rule.formula.parts if part in ("year", "month", "day")]
    learned = tuple(name for name in days if state.schema[name].is_learned)
    calendar = calendars.get(learned)
    if len(learned) > 1 and (calendar is None or not all(map(state.free, learned))):
        return
    if state.give(rule) and calendar is not None and len(learned) > 1:
        state.bound |= set(learned)
        state.rules.append(calendar)


def _take_missing(
    state: _Settling, rule: Missing, held: Sequence[Missing], tried: frozenset[str] = frozenset()
) -> None:
    """Take a rule on missing values, unless its column comes with another's.

    Where the other column itself follows from this one, it waits for what makes that one missing.
    """
    formula = next(
        (
            r
            for r in state.rules
            if isinstance(r, Derived) and r.target == rule.target and not is_raised(r)
        ),
        None,
    )
    if rule.target in state.bound or (formula and (rule.exactly or not formula.otherwise)):
        return
    if rule.target in state.needs(rule.source):
        for other in held:
            if other.target == rule.source and other.source not in {*tried, rule.target}:
                instead = Missing(rule.target, other.source, other.values)
                _take_missing(state, instead, held, tried | {rule.source})
        return
    state.missing.setdefault(rule.target, set()).add(rule.source)
    state.rules.append(rule)


def _ordered(state: _Settling) -> list[Rule]:
    """Rules so that each comes after those of the columns that it needs."""
    together = [rule for rule in state.rules if isinstance(rule, Together)]
    left = [rule for rule in state.rules if not isinstance(rule, Together)]
    done: list[Rule] = []
    while left:
        open_targets = {rule.target for rule in left}
        ready = next(rule for rule in left if _is_ready(rule, left, open_targets))
        done.append(ready)
        left.remove(ready)
    return [*together, *done]


def _is_ready(rule: Rule, left: Sequence[Rule], open_targets: set[str]) -> bool:
    assert not isinstance(rule, Together)
    inputs = set(rule.columns[1:])
    if inputs & open_targets or (is_raised(rule) and _is_given(rule, left)):
        return False
    derived_first = (r for r in left if isinstance(r, Derived) and r.target == rule.target)
    return isinstance(rule, Derived) or not any(True for _ in derived_first)


def _is_given(rule: Rule, left: Sequence[Rule]) -> bool:
    """Whether a column that is raised is still to be computed."""
    return any(is_near(other) and other.target == rule.columns[0] for other in left)


def _broken(rules: Rules, others: Sequence[Rule], rows: pa.Table) -> list[Rule]:
    """Of other rules, those that rows break whose learned columns come from different rows."""
    if not others:
        return []
    rng = np.random.default_rng(0)
    learned = rules.learned(rows)
    mixed = {
        name: learned[name].combine_chunks().take(pa.array(rng.permutation(len(rows))))
        for name in learned.column_names
    }

    def refill(name: str, where: np.ndarray) -> pa.Array:
        present = mixed[name].drop_null()
        if not len(present):
            return pa.nulls(len(where), mixed[name].type)
        return present.take(pa.array(rng.integers(0, len(present), len(where))))

    whole = rules.whole(mixed, rows.schema, rng.random(len(rows)), refill)
    types = {field.name: field.type for field in rows.schema}
    return [rule for rule in others if _is_broken(rule, whole, types)]


def _is_broken(rule: Rule, table: Mapping[str, pa.Array], types: Mapping[str, pa.DataType]) -> bool:
    """Whether rows break a rule; combinations may be rare, and so not known, in some."""
    if isinstance(rule, Together):
        return bool(rule.says(table, types).mean() < COVERED)
    return bool((rule.agrees(table) == 0).any())
