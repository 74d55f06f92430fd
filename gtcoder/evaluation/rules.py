"""The rules between columns that the real table's rows keep, and how many other rows do."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from gtcoder.rules.found import rules_of
from gtcoder.rules.gap import Near
from gtcoder.rules.rule import Derived, Missing, Rule, is_near
from gtcoder.rules.tally import Tally
from gtcoder.rules.together import ROWS, Together
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.types import flat


def kept_shares(
    real: pa.Table, others: Mapping[str, pa.Table], kinds: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Each rule that all real rows keep, and the share of every table's rows that keep it.

    Of columns that go together, a row keeps the rule if some real row has its combination; of a
    column that others nearly give, if it is as near as 19 of 20 real rows. Rows of which a rule
    says nothing do not count.

    Args:
        real: the rows that rules are found in.
        others: tables with the same columns and types, by name.
        kinds: those that override the inferred ones, as for training.
    """
    sketch = TableSketch.of(real)
    schema = Schema.infer(real.schema, sketch)
    if kinds:
        there = {n: k for n, k in kinds.get("columns", {}).items() if n in schema.names}
        schema = schema.override({**kinds, "columns": there})
    found = rules_of(real, schema, sketch)
    tables = {"real": real, **others}
    return [
        {
            "rule": str(rule),
            "in_words": _in_words(rule),
            "nearly": is_near(rule),
            "kept_share": {name: _share(known, table) for name, table in tables.items()},
        }
        for rule in found.rules.all
        for known in [_with_all(rule, found.tallies.get(str(rule)))]
    ]


def _in_words(rule: Rule) -> str:
    """The rule as one says it; a formula is said as it is written."""
    if isinstance(rule, Together) and rule.flags:
        return f"exactly one of {', '.join(rule.columns)} is set"
    if isinstance(rule, Together):
        return f"{', '.join(rule.columns)}: only combinations of real rows"
    if isinstance(rule, Missing):
        where = f"{'exactly ' if rule.exactly else ''}where {rule.source} is"
        values = "missing too" if rule.values is None else " or ".join(map(str, rule.values))
        return f"{rule.target} is missing {where} {values}"
    if isinstance(rule, Derived) and isinstance(rule.formula, Near):
        return f"{rule.target} is within {rule.formula.within:.3g} of {rule.formula}"
    return str(rule)


def _with_all(rule: Rule, tally: Tally | None) -> Rule:
    """The rule with all combinations that occur, rare ones too: none of them is written down."""
    if not isinstance(rule, Together) or tally is None or tally.combinations is None:
        return rule
    in_order = [(name, "ascending") for name in rule.columns]
    combinations = tally.combinations.sort_by(in_order).combine_chunks()
    return dataclasses.replace(rule, combinations=combinations.select([*rule.columns, ROWS]))


@np.errstate(all="ignore")
def _share(rule: Rule, table: pa.Table) -> float | None:
    """The share of rows that keep a rule, of those of which it says something."""
    arrays = {name: flat(table[name]) for name in rule.columns}
    if isinstance(rule, Together):
        verdicts = rule.says(arrays, {name: array.type for name, array in arrays.items()})
    else:
        verdicts = rule.agrees(arrays)
    said = verdicts >= 0 if verdicts.dtype != bool else np.ones(len(verdicts), bool)
    return float((verdicts[said] > 0).mean()) if said.any() else None
