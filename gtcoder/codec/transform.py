"""One transform per column: Arrow values ⇄ a code and a scalar a row.

A transform is fitted on a column's sketch, says what it gives the network (`field`), and is plain
JSON. Encoding and decoding are Arrow and numpy, and pure functions of their arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa

from gtcoder.codec.layout import Field


@dataclass(frozen=True, slots=True)
class RowDraws:
    """What decoding one column may use beside the codes."""

    uniform: np.ndarray
    """Numbers in [0, 1) of each row's own, float64 (B, 2)."""
    numbers: np.ndarray
    """Each row's number in its stream, int64 (B,)."""
    column: int = 0

    def __len__(self) -> int:
        return len(self.uniform)

    def draws(self, where: np.ndarray) -> np.ndarray:
        """A number in [0, 1) for each row `where`, another in every column."""
        return np.asarray((self.uniform[where, 0] + self.column * _GOLDEN) % 1.0)


_GOLDEN = 0.6180339887498949


class Transform(Protocol):
    """What every column's transform can do."""

    @property
    def field(self) -> Field | None:
        """What the network sees, or None if it sees nothing."""

    def encode(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Codes int16 (B,) and scalars float32 (B,) of the column's values."""

    def decode(self, codes: np.ndarray, scalars: np.ndarray, rows: RowDraws) -> pa.Array:
        """The values of codes (B,) and scalars (B,)."""

    def describe(self) -> dict[str, Any]:
        """The values known: `categories`, or `low` and `high`."""

    def to_dict(self) -> dict[str, Any]:
        """The transform as plain JSON values."""

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], name: str, arrow_type: pa.DataType) -> Self:
        """The inverse of `to_dict`."""
        ...
