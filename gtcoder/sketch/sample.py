"""A uniform sample of the distinct short strings of a column: those with the smallest hashes.

Merging keeps the smallest of both, so any order of parts gives the same sample (bottom-k).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

K = 2_048
"""Strings kept."""
LONGEST_BYTES = 64
"""Longer strings are not sampled."""


@dataclass(frozen=True, slots=True)
class TextSample:
    """Distinct strings, and their hashes uint64 in rising order (≤ K,)."""

    values: pa.Array
    hashes: np.ndarray

    @classmethod
    def of(cls, values: pa.Array, hashes: np.ndarray) -> Self:
        """The sample of strings without nulls, (B,), and their hashes (B,); they may repeat."""
        short = pc.less_equal(pc.binary_length(values), LONGEST_BYTES)
        places = np.flatnonzero(short.to_numpy(zero_copy_only=False))
        if len(places) > 4 * K:
            few = np.argpartition(hashes[places], 4 * K)[: 4 * K]
            places = places[few]
        kept, first = np.unique(hashes[places], return_index=True)
        places = places[first[:K]]
        return cls(values.take(pa.array(places, pa.int64())), kept[:K])

    def merge(self, other: Self) -> Self:
        """The sample of both parts together."""
        values = pa.concat_arrays([self.values, other.values])
        return self.of(values, np.concatenate([self.hashes, other.hashes]))
