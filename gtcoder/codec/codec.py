"""Tables ⇄ codes and scalars: one transform a column, in the table's order.

Decoding gives exactly the Arrow schema that was fitted, and depends on its arguments alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa

from gtcoder.codec.category import CategoryTransform, rest_note
from gtcoder.codec.config import CodecConfig
from gtcoder.codec.constant import ConstantTransform
from gtcoder.codec.identifier import IdentifierTransform
from gtcoder.codec.layout import Encoded, Field, Layout
from gtcoder.codec.number import NumberTransform
from gtcoder.codec.pattern import PatternTransform
from gtcoder.codec.transform import RowDraws, Transform
from gtcoder.errors import TableError
from gtcoder.schema.kind import CATEGORIES, Kind
from gtcoder.schema.schema import Column, Schema
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.table import TableSketch
from gtcoder.table.types import flat

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
    """The transforms of a table's columns."""

    schema: Schema
    transforms: tuple[Transform, ...]

    @classmethod
    def fit(cls, schema: Schema, sketch: TableSketch, config: CodecConfig | None = None) -> Self:
        """The codec of a table, from its schema and its sketch alone."""
        config = config or CodecConfig()
        fitted = tuple(_fit(c, sketch.columns[c.name], config) for c in schema.columns)
        columns = zip(schema.columns, fitted, strict=True)
        notes = {c.name: _note(t, sketch.columns[c.name], config) for c, t in columns}
        return cls(schema.noted(notes), fitted)

    @cached_property
    def layout(self) -> Layout:
        """The fields the network sees."""
        return Layout(tuple(field for _, field in self._learned))

    @cached_property
    def _learned(self) -> list[tuple[int, Field]]:
        fields = ((at, transform.field) for at, transform in enumerate(self.transforms))
        return [(at, field) for at, field in fields if field is not None]

    @cached_property
    def places(self) -> Mapping[int, int]:
        """The place among the fields of each learned column, by the column's place."""
        return {at: k for k, (at, _) in enumerate(self._learned)}

    def encode(self, table: pa.Table | pa.RecordBatch) -> Encoded:
        """The rows of a table as codes and scalars; columns are found by name.

        Raises:
            TableError: a column is missing, or has another type that does not convert.
        """
        fields = len(self._learned)
        codes = np.empty((table.num_rows, fields), np.int16)
        scalars = np.zeros((table.num_rows, fields), np.float32)
        for k, (at, _) in enumerate(self._learned):
            array = _column(table, self.schema.columns[at])
            codes[:, k], scalars[:, k] = self.transforms[at].encode(array)
        return Encoded(codes, scalars)

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
        columns = []
        for at, transform in enumerate(self.transforms):
            k = self.places.get(at)
            code, scalar = nothing if k is None else (codes[k], scalars[k])
            columns.append(transform.decode(code, scalar, RowDraws(uniform, numbers, at)))
        return pa.Table.from_arrays(columns, schema=self.schema.arrow)

    def describe(self) -> dict[str, dict[str, Any]]:
        """What is known of each column: its kind, and `categories` or `low` and `high`."""
        pairs = zip(self.schema.columns, self.transforms, strict=True)
        return {c.name: {"kind": c.kind.value, **t.describe()} for c, t in pairs}

    def to_dict(self) -> dict[str, Any]:
        """The codec as plain JSON values, without its schema."""
        names = {kind: name for name, kind in TRANSFORMS.items()}
        return {
            "columns": {
                column.name: {"transform": names[type(transform)], **transform.to_dict()}
                for column, transform in zip(self.schema.columns, self.transforms, strict=True)
            }
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], schema: Schema) -> Self:
        """The inverse of `to_dict`."""
        transforms = []
        for column in schema.columns:
            written = plain["columns"][column.name]
            kind = TRANSFORMS[written["transform"]]
            transforms.append(kind.from_dict(written, column.name, column.type))
        return cls(schema, tuple(transforms))


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


def _column(table: pa.Table | pa.RecordBatch, column: Column) -> pa.Array:
    if column.name not in table.schema.names:
        raise TableError(
            f"column {column.name!r}: expected {column.type}, found no such column; "
            "give a table with the columns the codec was fitted on"
        )
    array = flat(table.column(column.name))
    if array.type.equals(column.type):
        return array
    try:
        return array.cast(column.type)
    except pa.ArrowException as error:
        raise TableError(
            f"column {column.name!r}: expected {column.type}, found {array.type} that does not "
            "convert; cast the column in the table"
        ) from error
