"""What each column is to the measures: a number, a category, or nothing they can compare."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import pyarrow as pa

from gtcoder.errors import SchemaError
from gtcoder.schema.kind import CATEGORIES, UNLEARNED, Kind
from gtcoder.schema.schema import Column, Schema
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.table import TableSketch
from gtcoder.typos import listed, meant

MOST_CLASSES = 20
"""A whole-number target of at most so many values is a class, of more a number."""


_UNCOMPARED = UNLEARNED - {Kind.CONSTANT}
_REASONS = {
    Kind.IDENTIFIER: "an identifier, which is not compared",
    Kind.PATTERN: "only the form of its values is compared",
    Kind.TEXT: "free text, which is not compared",
}


class Task(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, kw_only=True, slots=True)
class Roles:
    """The columns that are compared, each group in the table's order."""

    continuous: tuple[str, ...]
    discrete: tuple[str, ...]
    left_out: Mapping[str, str]
    """Columns whose values are not compared, with the reason."""
    patterns: tuple[str, ...] = ()
    """Of these, text of which the form is compared."""
    target: str | None = None
    task: Task | None = None
    """Of the target, if there is one."""

    @classmethod
    def of(
        cls,
        real: pa.Table,
        *,
        target: str | None = None,
        task: Task | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Self:
        """The roles of a real table's columns.

        Numbers of at most two values, and a target that is a class, are discrete.

        Args:
            real: the rows that kinds are inferred from.
            target: the column that is predicted.
            task: overrules what the target's values suggest.
            schema: kinds that override the inferred ones, as for training.

        Raises:
            SchemaError: there is no such target, or it cannot be predicted.
        """
        sketch = TableSketch.of(real)
        kinds = Schema.infer(real.schema, sketch)
        if schema:
            kinds = kinds.override(schema)
        if target is not None:
            task = _task(target, kinds, sketch, task)
        groups: dict[str, list[str]] = {"continuous": [], "discrete": []}
        left_out = {}
        for column in kinds.columns:
            if column.kind in _UNCOMPARED and column.name != target:
                left_out[column.name] = _REASONS[column.kind]
            elif column.name == target:
                groups["discrete" if task is Task.CLASSIFICATION else "continuous"].append(target)
            else:
                discrete = _is_discrete(column, sketch.columns[column.name])
                groups["discrete" if discrete else "continuous"].append(column.name)
        return cls(
            continuous=tuple(groups["continuous"]),
            discrete=tuple(groups["discrete"]),
            left_out=left_out,
            patterns=tuple(c.name for c in kinds.columns if c.kind is Kind.PATTERN),
            target=target,
            task=task if target is not None else None,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are compared, numbers first."""
        return (*self.continuous, *self.discrete)


def _is_discrete(column: Column, sketch: ColumnSketch) -> bool:
    return column.kind in CATEGORIES or column.kind is Kind.CONSTANT or sketch.distinct <= 2


def _task(target: str, kinds: Schema, sketch: TableSketch, asked: Task | None) -> Task:
    if target not in kinds.names:
        raise SchemaError(
            f"target {target!r}: no such column in the real table"
            f"{meant(target, kinds.names) or f'; there are {listed(kinds.names)}'}"
        )
    column = kinds[target]
    if column.kind in _UNCOMPARED:
        raise SchemaError(
            f"target {target!r}: expected a column of classes or numbers, found "
            f"{column.kind.value}; name another, or set its kind with a schema"
        )
    numeric = column.kind not in CATEGORIES and column.kind is not Kind.CONSTANT
    if asked is Task.REGRESSION and not numeric:
        raise SchemaError(f"target {target!r}: regression needs numbers, found {column.kind.value}")
    few = sketch.columns[target].distinct <= MOST_CLASSES and column.kind is Kind.INTEGER
    guess = Task.CLASSIFICATION if few or _is_discrete(column, sketch.columns[target]) else None
    return asked or guess or Task.REGRESSION
