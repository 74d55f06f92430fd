"""What is remembered of strings beside how often each occurs: enough to tell prose from names."""

from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

LONG_BYTES = 256
"""Longer strings are not counted as categories."""

_PREFIX_LETTERS = 32


@dataclass(frozen=True, slots=True)
class TextSketch:
    """Sums and a common form of a column's strings; None as the form of no strings at all."""

    letters: int = 0
    """Characters in all."""
    spaced: int = 0
    """Rows with white space."""
    long: int = 0
    """Rows of more than `LONG_BYTES` bytes."""
    shortest: int | None = None
    """Characters of the shortest."""
    prefix: str | None = None
    """What all begin with, up to 32 characters."""

    @classmethod
    def of(cls, values: pa.Array) -> Self:
        """The sketch of strings without nulls."""
        if len(values) == 0:
            return cls()
        lengths = pc.utf8_length(values)
        ends = pc.min_max(values).as_py()
        return cls(
            letters=pc.sum(lengths).as_py(),
            spaced=pc.sum(pc.match_substring_regex(values, r"\s")).as_py(),
            long=pc.sum(pc.greater(pc.binary_length(values), LONG_BYTES)).as_py(),
            shortest=pc.min(lengths).as_py(),
            prefix=_common(ends["min"], ends["max"]),
        )

    def merge(self, other: Self) -> Self:
        """The sketch of both parts together."""
        shortest = [length for length in (self.shortest, other.shortest) if length is not None]
        prefixes = [prefix for prefix in (self.prefix, other.prefix) if prefix is not None]
        return type(self)(
            letters=self.letters + other.letters,
            spaced=self.spaced + other.spaced,
            long=self.long + other.long,
            shortest=min(shortest, default=None),
            prefix=_common(min(prefixes), max(prefixes)) if prefixes else None,
        )


def _common(low: str, high: str) -> str:
    """The prefix of the least and the greatest string, and so of all between."""
    pairs = enumerate(zip(low[:_PREFIX_LETTERS], high, strict=False))
    end = next((at for at, (a, b) in pairs if a != b), min(len(low), len(high), _PREFIX_LETTERS))
    return low[:end]
