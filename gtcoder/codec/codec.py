"""Tables ⇄ codes and scalars: one transform a learned column, in the table's order.

What rules derive is not coded: it follows from the learned columns when rows are decoded. Decoding
gives exactly the Arrow schema that was fitted, and depends on its arguments alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa

from gtcoder.codec.category import CategoryTransform, rest_note
from gtcoder.codec.config import CodecConfig
from gtcoder.codec.constant import ConstantTransform
from gtcoder.codec.counted import missing_codes
from gtcoder.codec.identifier import IdentifierTransform
from gtcoder.codec.layout import Encoded, Field, Layout
from gtcoder.codec.number import NumberTransform
from gtcoder.codec.pattern import PatternTransform
from gtcoder.codec.transform import RowDraws, Transform
from gtcoder.errors import TableError
from gtcoder.rules.gap import Near
from gtcoder.rules.learned import FoundRules, learned_columns
from gtcoder.rules.rule import Derived
from gtcoder.rules.rules import Rules
from gtcoder.rules.together import Together, from_lookup_array
from gtcoder.rules.values import Values
from gtcoder.schema.kind import CATEGORIES, Kind
from gtcoder.schema.schema import Column, Schema
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.table import TableSketch
from gtcoder.table.ticks import printable, to_ticks
from gtcoder.table.types import flat, in_type, value_type

TRANSFORMS: Mapping[str, type[Transform]] = {
    "number": NumberTransform,
    "category": CategoryTransform,
    "constant": ConstantTransform,
    "identifier": IdentifierTransform,
    "pattern": PatternTransform,
}
"""The transforms by their names in codec.json."""


@dataclass(frozen=True)
class Codec:
    """The transforms of what is learned of a table, and the rules by which the rest comes back."""

    schema: Schema
    """Of the table."""
    transforms: tuple[Transform, ...]
    """Of the learned columns, in their order."""
    rules: Rules = field(default_factory=Rules)

    @classmethod
    def fit(
        cls,
        schema: Schema,
        sketch: TableSketch,
        config: CodecConfig | None = None,
        found: FoundRules | None = None,
    ) -> Self:
        """The codec of a table, from its schema, its sketch and its rules alone."""
        config, found = config or CodecConfig(), found or FoundRules()
        learned = learned_columns(schema, found.rules)
        sketches = found.sketches(sketch)
        fitted = tuple(_fit(c, sketches[c.name], config) for c in learned)
        columns = zip(learned, fitted, strict=True)
        notes = {c.name: _note(t, sketches[c.name], config) for c, t in columns}
        return cls(schema.noted(notes), fitted, found.rules)

    @cached_property
    def learned(self) -> tuple[Column, ...]:
        """The learned columns."""
        return learned_columns(self.schema, self.rules)

    @cached_property
    def layout(self) -> Layout:
        """The fields the network sees."""
        return Layout(tuple(field for _, field in self._fields))

    @cached_property
    def _fields(self) -> list[tuple[int, Field]]:
        fields = ((at, transform.field) for at, transform in enumerate(self.transforms))
        return [(at, field) for at, field in fields if field is not None]

    @cached_property
    def places(self) -> Mapping[int, int]:
        """The place among the fields of each learned column that has one, by the column's place."""
        return {at: k for k, (at, _) in enumerate(self._fields)}

    def transform_of(self, name: str) -> Transform | None:
        """How a learned column is encoded; nothing of one that is not learned as it stands."""
        names = [column.name for column in self.learned]
        return self.transforms[names.index(name)] if name in names else None

    def encode(self, table: pa.Table | pa.RecordBatch, *, jitter: bool = True) -> Encoded:
        """The rows of a table as codes and scalars; columns are found by name.

        Args:
            table: rows.
            jitter: whether a number that many scalars stand for gets one of them as if at random,
                by its place in the table, which is for learning; else the middle one.

        Raises:
            TableError: a column is missing, or has another type that does not convert.
        """
        fields = len(self._fields)
        codes = np.empty((table.num_rows, fields), np.int16)
        scalars = np.zeros((table.num_rows, fields), np.float32)
        learned = self._learned_of(table)
        for k, (at, _) in enumerate(self._fields):
            transform, column = self.transforms[at], learned[self.learned[at].name]
            if isinstance(transform, NumberTransform):
                codes[:, k], scalars[:, k] = transform.encode(column, jitter=jitter)
            else:
                codes[:, k], scalars[:, k] = transform.encode(column)
        return Encoded(codes, scalars)

    def _learned_of(self, table: pa.Table | pa.RecordBatch) -> Mapping[str, pa.Array]:
        """The learned columns of a table, in their types."""
        columns = self.schema.columns
        if not self.rules.kept:
            shown = {self.learned[at].name for at, _ in self._fields}
            return {c.name: column_of(table, c) for c in columns if c.name in shown}
        learned = self.rules.learned(pa.table({c.name: column_of(table, c) for c in columns}))
        return {name: flat(learned.column(name)) for name in learned.column_names}

    def sketch(self, table: pa.Table | pa.RecordBatch) -> TableSketch:
        """The sketch of what is learned of a part of a table, which may lack columns.

        Raises:
            TableError: a column that a rule is about has a type that does not convert.
        """
        if not self.rules.kept:
            return TableSketch.of(table)
        ruled = {name for rule in self.rules.kept for name in rule.columns}
        there = {
            name: column_of(table, self.schema[name]) if name in ruled else table.column(name)
            for name in table.schema.names
        }
        return TableSketch.of(self.rules.learned(pa.table(there)))

    def decode(self, encoded: Encoded, uniform: np.ndarray, numbers: np.ndarray) -> pa.Table:
        """The table of encoded rows, with the fitted Arrow schema.

        Args:
            encoded: codes and scalars (B, K).
            uniform: random numbers in [0, 1) of each row's own, float64 (B, 2).
            numbers: each row's number in its stream, int64 (B,); identifiers follow from it.
        """
        codes, scalars = (
            np.ascontiguousarray(encoded.codes.T),
            np.ascontiguousarray(encoded.scalars.T),
        )
        nothing = np.zeros(len(encoded), np.int16), np.zeros(len(encoded), np.float32)
        columns = {}
        for at, transform in enumerate(self.transforms):
            k = self.places.get(at)
            code, scalar = nothing if k is None else (codes[k], scalars[k])
            rows = RowDraws(uniform, numbers, at)
            columns[self.learned[at].name] = transform.decode(code, scalar, rows)

        def refill(name: str, where: np.ndarray) -> pa.Array:
            at = next(at for at, column in enumerate(self.learned) if column.name == name)
            return _refilled(self.transforms[at], where, RowDraws(uniform, numbers, at))

        whole = self.rules.whole(columns, self.schema.arrow, uniform[:, 1], refill)
        arrays = [whole[name] for name in self.schema.names]
        return pa.Table.from_arrays(arrays, schema=self.schema.arrow)

    def describe(self) -> dict[str, dict[str, Any]]:
        """What is known of each column: its kind, and `categories` or `low` and `high`.

        Of a column that rules derive: what it follows from.
        """
        known = {c.name: t.describe() for c, t in zip(self.learned, self.transforms, strict=True)}
        return {
            c.name: {"kind": c.kind.value, **self._described(c, known)} for c in self.schema.columns
        }

    def _described(self, column: Column, known: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        rule = self.rules.derived.get(column.name)
        if rule is None:
            return known[column.name]
        if isinstance(rule, Together):
            values, _ = rule.members(column.name)
            kept = from_lookup_array(values.unique().drop_null(), value_type(column.type))
            return {
                "categories": printable(kept).to_pylist(),
                "missing": values.slice(0, rule.named).null_count > 0,
                "rule": str(rule),
            }
        if isinstance(rule.formula, Near) and (ends := self._ends(rule)) is not None:
            low, high = printable(ends).to_pylist()
            missing = known[rule.formula.gap]["missing"]
            return {"low": low, "high": high, "missing": missing, "rule": str(rule)}
        return {"rule": str(rule)}

    def _ends(self, rule: Derived) -> pa.Array | None:
        """The lowest and the highest value of a column that others nearly give."""
        if not isinstance(rule.formula, Near) or rule.formula.low is None:
            return None
        ends = Values(np.array([rule.formula.low, rule.formula.high]), np.ones(2, bool))
        return ends.array(self.schema[rule.target].type, rule.decimals)

    def ends_of(self, rule: Derived) -> tuple[float, float] | None:
        """The same as ticks; nothing of a column that comes back in another way."""
        ends = self._ends(rule)
        return None if ends is None else tuple(to_ticks(ends).tolist())

    def to_dict(self) -> dict[str, Any]:
        """The codec as plain JSON values, without its schema and its rules."""
        names = {kind: name for name, kind in TRANSFORMS.items()}
        return {
            "columns": {
                column.name: {"transform": names[type(transform)], **transform.to_dict()}
                for column, transform in zip(self.learned, self.transforms, strict=True)
            }
        }

    @classmethod
    def from_dict(
        cls, plain: Mapping[str, Any], schema: Schema, rules: Rules | None = None
    ) -> Self:
        """The inverse of `to_dict`."""
        rules = rules or Rules()
        transforms = []
        for column in learned_columns(schema, rules):
            written = plain["columns"][column.name]
            kind = TRANSFORMS[written["transform"]]
            transforms.append(kind.from_dict(written, column.name, column.type))
        return cls(schema, tuple(transforms), rules)


def _refilled(transform: Transform, where: np.ndarray, rows: RowDraws) -> pa.Array:
    """Values that are not missing, by how often each occurs, for the rows of a mask (B,)."""
    codes, scalars = np.zeros(len(rows), np.int16), np.zeros(len(rows), np.float32)
    shares = np.array(getattr(transform, "frequencies", (1.0,)))
    shares[missing_codes(transform)] = 0.0
    if shares.sum() > 0:
        drawn = rows.draws(where)
        ends = np.cumsum(shares / shares.sum())
        codes[where] = np.searchsorted(ends, drawn, side="right").clip(0, len(shares) - 1)
        low, high = transform.coding.span if isinstance(transform, NumberTransform) else (0.0, 1.0)
        scalars[where] = low + (high - low) * rows.uniform[where, 1] * (1 - 2**-24)
    return transform.decode(codes, scalars, rows)


def _fit_category(column: Column, sketch: ColumnSketch, config: CodecConfig) -> Transform:
    fitted = CategoryTransform.fit(column.name, sketch, config)
    told = fitted.field or len(fitted.values) or fitted.says_other
    return fitted if told else _fit_constant(column, sketch, config)


def _fit_constant(column: Column, sketch: ColumnSketch, config: CodecConfig) -> Transform:
    return ConstantTransform.fit(column.name, sketch, config, column.nullable)


def _fit_text(column: Column, sketch: ColumnSketch, config: CodecConfig) -> Transform:
    return ConstantTransform(column.name, column.type, column.nullable, None)


def _fit_identifier(column: Column, sketch: ColumnSketch, config: CodecConfig) -> Transform:
    if IdentifierTransform.numbers(sketch):
        return IdentifierTransform.fit(column.name, sketch, config)
    return PatternTransform.fit(column.name, sketch, config, unique=True)


def _fit_pattern(column: Column, sketch: ColumnSketch, config: CodecConfig) -> Transform:
    return PatternTransform.fit(column.name, sketch, config, unique=False)


def _fit_number(column: Column, sketch: ColumnSketch, config: CodecConfig) -> Transform:
    fitted = NumberTransform.fit(column.name, sketch, config)
    told = fitted.field or len(fitted.coding) or fitted.nan or fitted.infinite
    return fitted if told else _fit_constant(column, sketch, config)


_FITS: Mapping[Kind, Callable[[Column, ColumnSketch, CodecConfig], Transform]] = {
    **dict.fromkeys(Kind, _fit_number),
    **dict.fromkeys(CATEGORIES, _fit_category),
    Kind.CONSTANT: _fit_constant,
    Kind.IDENTIFIER: _fit_identifier,
    Kind.PATTERN: _fit_pattern,
    Kind.TEXT: _fit_text,
}


def _fit(column: Column, sketch: ColumnSketch, config: CodecConfig) -> Transform:
    return _FITS[column.kind](column, sketch, config)


def _note(transform: Transform, sketch: ColumnSketch, config: CodecConfig) -> str:
    """What of a column does not come back as it was, if anything."""
    if isinstance(transform, CategoryTransform):
        return rest_note(transform, sketch, config.min_category_rows)
    if isinstance(transform, ConstantTransform) and transform.value is None and sketch.present:
        back = "missing" if transform.nullable else "zero or empty"
        return f"nothing that {config.min_category_rows} rows share: comes back as {back}"
    return ""


def column_of(table: pa.Table | pa.RecordBatch, column: Column) -> pa.Array:
    """A table's column in the type that was fitted.

    Raises:
        TableError: it is missing, or has another type that does not convert.
    """
    if column.name not in table.schema.names:
        raise TableError(
            f"column {column.name!r}: expected {column.type}, found no such column; "
            "give a table with the columns the codec was fitted on"
        )
    array = flat(table.column(column.name))
    if array.type.equals(column.type):
        return array
    try:
        return in_type(array, column.type)
    except pa.ArrowException as error:
        raise TableError(
            f"column {column.name!r}: expected {column.type}, found {array.type} that does not "
            "convert; cast the column in the table"
        ) from error
