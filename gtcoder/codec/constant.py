"""Columns the network never sees: constants, free text, identifiers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.codec.config import CodecConfig
from gtcoder.codec.transform import RowDraws
from gtcoder.sketch.column import ColumnSketch
from gtcoder.table.lookup import as_lookup, from_lookup, from_plain, to_plain
from gtcoder.table.ticks import from_ticks, printable, take
from gtcoder.table.types import Family, family_of, value_type


@dataclass(frozen=True)
class ConstantTransform:
    """One value, or none that may be told: then null, or a zero where null is not allowed."""

    name: str
    type: pa.DataType
    nullable: bool
    value: pa.Array | None
    """The value in its lookup type, (1,)."""

    @classmethod
    def fit(cls, name: str, sketch: ColumnSketch, config: CodecConfig, nullable: bool) -> Self:
        """The transform of a column; its value is kept if enough rows share it."""
        counts = sketch.counts.counts
        if len(counts) != 1 or counts[0] < config.min_category_rows:
            return cls(name, sketch.type, nullable, None)
        return cls(name, sketch.type, nullable, as_lookup(sketch.counts.values, sketch.type))

    @property
    def field(self) -> None:
        """Nothing: the network does not see it."""
        return None

    def encode(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Zeros."""
        return np.zeros(len(array), np.int16), np.zeros(len(array), np.float32)

    def decode(self, codes: np.ndarray, scalars: np.ndarray, rows: RowDraws) -> pa.Array:
        """The value, as often as there are rows."""
        if self.value is None:
            return blank(self.type, len(rows), nullable=self.nullable)
        if pt.is_dictionary(self.type):
            index = pa.array(np.zeros(len(rows)), self.type.index_type)
            words = from_lookup(self.value, self.type.value_type)
            return pa.DictionaryArray.from_arrays(index, words, ordered=self.type.ordered)
        return take(from_lookup(self.value, self.type), np.zeros(len(rows), np.int8))

    def describe(self) -> dict[str, Any]:
        """The value, if it may be told."""
        if self.value is None:
            return {}
        value = from_lookup(self.value, value_type(self.type))
        return {"categories": printable(value).to_pylist(), "missing": False}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        value = None if self.value is None else to_plain(self.value)
        return {"nullable": self.nullable, "value": value}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], name: str, arrow_type: pa.DataType) -> Self:
        """The inverse of `to_dict`."""
        value = plain["value"]
        kept = None if value is None else from_plain(value, arrow_type)
        return cls(name, arrow_type, plain["nullable"], kept)


def blank(arrow_type: pa.DataType, rows: int, *, nullable: bool) -> pa.Array:
    """A column that says nothing: nulls, or zeros and empty strings where null is not allowed."""
    if nullable or pt.is_null(arrow_type):
        return pa.nulls(rows, arrow_type)
    if pt.is_dictionary(arrow_type):
        index = pa.array(np.zeros(rows), arrow_type.index_type)
        words = blank(arrow_type.value_type, 1, nullable=False)
        return pa.DictionaryArray.from_arrays(index, words, ordered=arrow_type.ordered)
    match family_of(arrow_type):
        case Family.NUMBER:
            return from_ticks(np.zeros(rows, np.int64), arrow_type)
        case Family.BOOLEAN:
            return pa.array(np.zeros(rows, bool))
    empty = bytes(arrow_type.byte_width) if pt.is_fixed_size_binary(arrow_type) else b""
    return pa.repeat(pa.scalar(empty, pa.binary()), rows).cast(arrow_type)
