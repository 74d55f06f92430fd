"""Identifiers: never learned, made afresh from each row's number in the column's form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.codec.config import CodecConfig
from gtcoder.codec.transform import RowDraws
from gtcoder.sketch.column import ColumnSketch
from gtcoder.table.ticks import from_ticks


@dataclass(frozen=True)
class IdentifierTransform:
    """Numbers of rows, in the column's form: `prefix`, then at least `digits` digits."""

    name: str
    type: pa.DataType
    prefix: str
    digits: int

    @classmethod
    def fit(cls, name: str, sketch: ColumnSketch, config: CodecConfig) -> Self:
        """The transform of a column: the prefix is kept if enough rows have it, without digits."""
        texts = sketch.texts
        if texts is None or sketch.present < config.min_category_rows:
            return cls(name, sketch.type, "", 1)
        prefix = (texts.prefix or "").rstrip("0123456789")
        return cls(name, sketch.type, prefix, max(1, (texts.shortest or 0) - len(prefix)))

    @property
    def field(self) -> None:
        """Nothing: the network does not see it."""
        return None

    def encode(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Zeros."""
        return np.zeros(len(array), np.int16), np.zeros(len(array), np.float32)

    def decode(self, codes: np.ndarray, scalars: np.ndarray, rows: RowDraws) -> pa.Array:
        """The identifier of each row's number."""
        numbers = rows.numbers + 1
        if pt.is_integer(self.type):
            return from_ticks(numbers, self.type)
        digits = pa.array(numbers).cast(pa.string())
        padded = pc.utf8_lpad(digits, self.digits, "0")
        return pc.binary_join_element_wise(self.prefix, padded, "").cast(self.type)

    def describe(self) -> dict[str, Any]:
        """Nothing is known."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"prefix": self.prefix, "digits": self.digits}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], name: str, arrow_type: pa.DataType) -> Self:
        """The inverse of `to_dict`."""
        return cls(name, arrow_type, plain["prefix"], plain["digits"])
