"""Text whose values hardly repeat: never learned, made afresh in the shape of the values.

The network sees no more than whether there is a value, where some rows have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from gtcoder.codec.category import OTHER
from gtcoder.codec.config import CodecConfig
from gtcoder.codec.layout import Field, Scalar
from gtcoder.codec.shape import Shapes
from gtcoder.codec.transform import RowDraws
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.distinct import hash_numbers


@dataclass(frozen=True)
class PatternTransform:
    """The shapes of one column of text."""

    name: str
    type: pa.DataType
    shapes: Shapes
    missing: float
    """Share of rows without a value."""
    unique: bool
    """Whether no value may come twice."""

    @classmethod
    def fit(cls, name: str, sketch: ColumnSketch, config: CodecConfig, *, unique: bool) -> Self:
        """The transform of a column, from the sample of its strings."""
        sample = sketch.sample.values.to_pylist() if sketch.sample else []
        shapes = Shapes.of(sample, config.min_category_rows)
        return cls(name, sketch.type, shapes, sketch.nulls / max(sketch.rows, 1), unique)

    @property
    def field(self) -> Field | None:
        """Whether there is a value; none where there always or never is."""
        if not 0 < self.missing < 1:
            return None
        return Field(
            name=self.name,
            cardinality=2,
            scalar=Scalar.NONE,
            discrete=True,
            ordered=False,
            frequencies=(1 - self.missing, self.missing),
            missing=1,
        )

    def encode(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Whether the value is missing, and zeros."""
        missing = array.is_null().to_numpy(zero_copy_only=False)
        return missing.astype(np.int16), np.zeros(len(array), np.float32)

    def decode(self, codes: np.ndarray, scalars: np.ndarray, rows: RowDraws) -> pa.Array:
        """Values of the shapes, from each row's own random numbers."""
        if self.shapes:
            seeds = hash_numbers(np.ascontiguousarray(rows.uniform[:, 1]))
            seeds = hash_numbers(seeds + np.uint64(rows.column))
            made = self.shapes.draw(seeds, rows.numbers if self.unique else None)
        else:
            made = pa.repeat(OTHER, len(rows))
        if self.missing:
            gone = (codes == 1) | (self.missing == 1)
            made = pa.array(made.to_numpy(zero_copy_only=False), pa.string(), mask=gone)
        return made.cast(self.type)

    def describe(self) -> dict[str, Any]:
        """No value is known."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**self.shapes.to_dict(), "missing": self.missing, "unique": self.unique}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], name: str, arrow_type: pa.DataType) -> Self:
        """The inverse of `to_dict`."""
        shapes = Shapes.from_dict(plain)
        return cls(name, arrow_type, shapes, plain["missing"], plain["unique"])
