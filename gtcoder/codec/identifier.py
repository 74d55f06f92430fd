"""Identifiers: never learned, made afresh from each row's number in the column's form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.codec.config import CodecConfig
from gtcoder.codec.transform import RowDraws
from gtcoder.schema.kind import largest_key
from gtcoder.sketch.column import ColumnSketch
from gtcoder.table.ticks import from_ticks
from gtcoder.table.types import is_text

_NUMBERED = re.compile(r"(\D*)(\d+)")


@dataclass(frozen=True)
class IdentifierTransform:
    """Numbers of rows, in the column's form.

    Whole numbers from `start` on, or text: `prefix`, then at least `digits` digits.
    """

    name: str
    type: pa.DataType
    prefix: str
    digits: int
    start: int = 1

    @classmethod
    def fit(cls, name: str, sketch: ColumnSketch, config: CodecConfig) -> Self:
        """The transform of a column: the prefix is kept if enough rows have it, without digits."""
        texts = sketch.texts
        if texts is None:
            return cls(name, sketch.type, "", 1, _start(sketch))
        if sketch.present < config.min_category_rows:
            return cls(name, sketch.type, "", 1)
        prefix = (texts.prefix or "").rstrip("0123456789")
        return cls(name, sketch.type, prefix, max(1, (texts.shortest or 0) - len(prefix)))

    @staticmethod
    def numbers(sketch: ColumnSketch) -> bool:
        """Whether the identifiers are numbers, or text of one prefix and a number."""
        if sketch.texts is None:
            return True
        values = sketch.sample.values.to_pylist() if sketch.sample else []
        found = [_NUMBERED.fullmatch(value) for value in values]
        return (
            sketch.nulls == 0
            and len({match and match[1] for match in found} | {None}) < 3
            and (None not in found)
        )

    @property
    def field(self) -> None:
        """Nothing: the network does not see it."""
        return None

    def encode(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Zeros."""
        return np.zeros(len(array), np.int16), np.zeros(len(array), np.float32)

    def decode(self, codes: np.ndarray, scalars: np.ndarray, rows: RowDraws) -> pa.Array:
        """The identifier of each row's number; past its type's largest they begin again."""
        if not is_text(self.type):
            room = largest_key(self.type) - self.start
            return from_ticks(_as_ticks(rows.numbers % room + self.start, self.type), self.type)
        digits = pa.array(rows.numbers + self.start).cast(pa.string())
        padded = pc.utf8_lpad(digits, self.digits, "0")
        return pc.binary_join_element_wise(self.prefix, padded, "").cast(self.type)

    def describe(self) -> dict[str, Any]:
        """Nothing is known."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"prefix": self.prefix, "digits": self.digits, "start": self.start}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], name: str, arrow_type: pa.DataType) -> Self:
        """The inverse of `to_dict`."""
        return cls(name, arrow_type, plain["prefix"], plain["digits"], plain.get("start", 1))


def _start(sketch: ColumnSketch) -> int:
    """Where numbers begin: at 0 or 1, or with as many digits as the column's, never at its least.

    100 250 gives 100 000 and 48 213 gives 40 000: the leading digit, which tells of no row.
    """
    assert sketch.numbers is not None
    low = int(sketch.numbers.quantiles.at(np.array([0.0]))[0])
    if low <= 1:
        return max(low, 0)
    power = 10 ** (len(str(low)) - 1)
    return int(low // power * power)


def _as_ticks(numbers: np.ndarray, kind: pa.DataType) -> np.ndarray:
    """The same as the ticks of a type: those of floats are floats."""
    return numbers.astype(np.float64) if pa.types.is_floating(kind) else numbers
