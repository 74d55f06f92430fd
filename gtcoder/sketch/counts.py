"""How often each value occurs: exact while there are few, the frequent ones after that.

Past `CAPACITY` values the table is cut to its most frequent half by the Misra-Gries rule in its
mergeable form (Agarwal et al., Mergeable Summaries, PODS 2012): the largest count dropped is taken
from every count kept. A count is therefore never too high and at most `error` too low, with
`error` <= rows / (CAPACITY / 2 + 1), in whatever order parts are merged. All of it is Arrow and
numpy: no Python object per value.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

CAPACITY = 32_768
"""Distinct values counted exactly."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Distinct `values` (any Arrow type) beside `counts` int64, and how much those may be short."""

    values: pa.Array
    counts: np.ndarray
    error: int = 0

    @classmethod
    def of(cls, values: pa.Array) -> Self:
        """Counts of an array without nulls."""
        pairs = values.value_counts()
        return cls(pairs.field(0), pairs.field(1).to_numpy())

    @property
    def exact(self) -> bool:
        """Whether every value is here with its true count."""
        return self.error == 0

    def merge(self, other: Self) -> Self:
        """The counts of both parts together."""
        if not len(self.counts) or not len(other.counts):
            some = other if len(other.counts) else self
            return type(self)(some.values, some.counts, self.error + other.error)
        both = pa.table(
            {
                "value": pa.concat_arrays([self.values, other.values]),
                "count": np.concatenate([self.counts, other.counts]),
            }
        )
        summed = both.group_by("value").aggregate([("count", "sum")])
        values = summed["value"].combine_chunks()
        counts = summed["count_sum"].to_numpy()
        return type(self)(values, counts, self.error + other.error).bounded()

    def bounded(self) -> Self:
        """The same within `CAPACITY` values."""
        if len(self.counts) <= CAPACITY:
            return self
        kept = CAPACITY // 2
        dropped = int(np.partition(self.counts, -kept - 1)[-kept - 1])
        frequent = np.flatnonzero(self.counts > dropped)
        values = self.values.take(pa.array(frequent))
        return type(self)(values, self.counts[frequent] - dropped, self.error + dropped)
