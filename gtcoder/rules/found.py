"""The rules of a table: found on its sketch's sample or written by hand, counted over all rows."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa

from gtcoder.errors import SchemaError
from gtcoder.rules.calendar import Moment
from gtcoder.rules.find.find import calendar, candidates
from gtcoder.rules.find.near import written
from gtcoder.rules.find.orders import coded
from gtcoder.rules.find.seen import Seen
from gtcoder.rules.gap import Near
from gtcoder.rules.learned import FoundRules
from gtcoder.rules.rule import Derived, Rule, is_near
from gtcoder.rules.settle import NEARLY, is_shared, settled, told
from gtcoder.rules.tally import Tally, tallied
from gtcoder.rules.together import Together
from gtcoder.rules.written import read_rule
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch

FEW_ROWS = 5
"""Combinations that fewer rows share do not count, where the user has not said how many."""

Count = Callable[[Sequence[Rule]], Sequence[Tally]]
"""Counts over all rows how many keep each rule."""


def found_rules(
    schema: Schema,
    sketch: TableSketch,
    count: Count,
    *,
    min_rows: int,
    tolerance: float = 0.0,
) -> FoundRules:
    """The rules that a table's rows keep: those that its schema names, or those that are found.

    Args:
        schema: of the table.
        sketch: of all its rows.
        count: is asked once, and not at all where there is nothing to count.
        min_rows: no combination of values that fewer rows share is in the rules.
        tolerance: share of the rows of which a rule says something that may break it.

    Raises:
        SchemaError: a rule that is named cannot be read, or too many rows break it.
    """
    listed = candidates(schema, sketch) if schema.rules is None else _read(schema, sketch)
    if not listed:
        return FoundRules()
    tallies = count(listed)
    rules, lost = settled(listed, tallies, schema, sketch, min_rows=min_rows, tolerance=tolerance)
    pairs = list(zip(listed, tallies, strict=True))
    kept = set(map(str, rules.all))
    if schema.rules is not None:
        for rule, tally in pairs:
            if str(rule) not in kept and not told(rule, rules.all):
                _see_kept(rule, tally, tolerance, is_shared(rule, sketch, min_rows))
    broken = {str(r): tally.broken for r, tally in pairs if tally.broken and not is_near(r)}
    return FoundRules(
        rules,
        {str(rule): tally for rule, tally in pairs},
        lost=tuple(map(str, lost)),
        broken={name: count for name, count in broken.items() if name in kept},
    )


def rules_of(
    table: pa.Table,
    schema: Schema,
    sketch: TableSketch,
    *,
    min_rows: int = FEW_ROWS,
    tolerance: float = 0.0,
) -> FoundRules:
    """The rules of a table in memory."""

    def count(rules: Sequence[Rule]) -> list[Tally]:
        return tallied(rules, table)

    return found_rules(schema, sketch, count, min_rows=min_rows, tolerance=tolerance)


def lines_of(table: pa.Table, schema: Schema, sketch: TableSketch) -> list[str]:
    """The rules of a table in memory, as they are written."""
    found = rules_of(table, schema, sketch)
    return [str(rule) for rule in found.rules.all]


def _read(schema: Schema, sketch: TableSketch) -> list[Rule]:
    """The rules that a schema names."""
    seen = Seen(schema, sketch)
    decimals = {name: seen.decimals(name) for name in schema.names}
    rules: dict[str, Rule] = {}
    for line in schema.rules or ():
        for rule in read_rule(line, decimals):
            rules.setdefault(str(rule), _in_order(rule, seen))
            if isinstance(rule, Derived) and isinstance(rule.formula, Moment):
                days = calendar(seen, rule.formula)
                if days is not None:
                    rules.setdefault(str(days), days)
    return list(rules.values())


def _in_order(rule: Rule, seen: Seen) -> Rule:
    """A rule as it would have been found: the coarsest column first, a gap where that pays."""
    if isinstance(rule, Derived):
        return written(seen, rule) if is_near(rule) else coded(seen, rule)
    if not isinstance(rule, Together):
        return rule
    sizes = {name: seen.sketch.columns[name].distinct for name in rule.columns}
    return dataclasses.replace(rule, columns=tuple(sorted(rule.columns, key=lambda n: sizes[n])))


def _see_kept(rule: Rule, tally: Tally, tolerance: float, shared: bool) -> None:
    """Refuse a rule that was asked for and is not kept.

    Args:
        rule: that was asked for.
        tally: of it.
        tolerance: share of the rows that may break it.
        shared: whether enough rows have each value that it names.

    Raises:
        SchemaError: always.
    """
    if isinstance(rule, Together):
        raise SchemaError(
            f"rule {str(rule)!r}: too few rows share a combination, or a column comes back by "
            "another rule; leave it out"
        )
    if is_near(rule) and tally.kept < NEARLY * (tally.kept + tally.broken):
        raise SchemaError(
            f"rule {str(rule)!r}: {tally.broken:,} of {tally.kept + tally.broken:,} rows are "
            "further off than 19 of 20 sampled ones; mend it or leave it out"
        )
    if not is_near(rule) and tally.broken > tolerance * (tally.kept + tally.broken):
        raise SchemaError(
            f"rule {str(rule)!r}: {tally.kept:,} rows keep it, {tally.broken:,} break it, of "
            f"{tally.silent:,} it says nothing; mend it, leave it out, or give `rule_tolerance=`"
        )
    if not shared:
        raise SchemaError(
            f"rule {str(rule)!r}: it names a value that too few rows have to be written down "
            "(`min_category_rows=`); leave it out"
        )
    raise SchemaError(
        f"rule {str(rule)!r} cannot be kept beside the others: its column comes back by another "
        "rule, or its inputs follow from it; leave one of them out"
    )


def lines(found: FoundRules) -> Iterable[str]:
    """What was found, a line for each rule.

    It says how many rows break it, how near most rows are, or that it follows.
    """
    for rule in found.rules.kept:
        few = found.broken.get(str(rule), 0)
        told = f"  ({few:,} rows break it)" if few else ""
        if isinstance(rule, Derived) and isinstance(rule.formula, Near):
            told = f"  (19 of 20 rows within {rule.formula.within:.3g})"
        yield f"{rule}{told}"
    for rule in found.rules.implied:
        yield f"{rule}  (follows)"
