"""What one streaming pass over a table remembers: small, mergeable, in any order.

`of(part).merge(of(other part))` is the sketch of both parts: exact up to `counts.CAPACITY` distinct
values a column, within the sketches' error past that. Sketches pickle, so that workers can send
them. They hold real values: they are never stored in a bundle.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.sketch.counts import CAPACITY, Counts
from gtcoder.sketch.distinct import Distinct, hash_numbers, hash_texts
from gtcoder.sketch.lattice import Lattice
from gtcoder.sketch.quantiles import Quantiles
from gtcoder.sketch.sample import TextSample
from gtcoder.sketch.text import LONG_BYTES, TextSketch
from gtcoder.table.ticks import plain_values, to_ticks
from gtcoder.table.types import Family, family_of, flat, is_whole


@dataclass(frozen=True, slots=True)
class NumberSketch:
    """What is remembered of numbers beside their counts."""

    quantiles: Quantiles
    lattice: Lattice
    nans: int = 0
    infinite: tuple[int, int] = (0, 0)
    """Rows of −∞ and of ∞."""

    def merge(self, other: Self) -> Self:
        """The sketch of both parts together."""
        return type(self)(
            self.quantiles.merge(other.quantiles),
            self.lattice.merge(other.lattice),
            self.nans + other.nans,
            (self.infinite[0] + other.infinite[0], self.infinite[1] + other.infinite[1]),
        )


@dataclass(frozen=True)
class ColumnSketch:
    """One column: rows, nulls, how often each value occurs, and what its family adds."""

    type: pa.DataType
    rows: int
    nulls: int
    counts: Counts
    distinct_hashes: Distinct
    numbers: NumberSketch | None = None
    texts: TextSketch | None = None
    sample: TextSample | None = None
    ranking: tuple[object, ...] | None = None
    """The words of a dictionary, in its order."""

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> Self:
        """The sketch of one part of a column."""
        array = flat(column)
        family = family_of(array.type)
        empty = cls(array.type, len(array), array.null_count, _NO_COUNTS, _NO_HASHES)
        if family in (Family.EMPTY, Family.UNSUPPORTED, Family.BINARY):
            return empty
        if pt.is_dictionary(array.type):
            words = array.dictionary.slice(0, CAPACITY).drop_null().to_pylist()
            empty = replace(empty, ranking=tuple(words))
        values = array if family is Family.NUMBER else plain_values(array)
        empty = replace(empty, nulls=values.null_count)  # a dictionary may have null for a word
        present = values.drop_null() if values.null_count else values
        if family is Family.NUMBER:
            return empty._of_numbers(to_ticks(present))
        return empty._of_values(present)

    def _of_numbers(self, ticks: np.ndarray) -> Self:
        finite = ticks
        if ticks.dtype == np.float64:
            ticks = ticks[~np.isnan(ticks)] + 0.0  # no -0.0
            finite = ticks[np.isfinite(ticks)]
        nans = self.rows - self.nulls - len(ticks)
        values, counts = _unique_sorted(ticks)
        if is_whole(self.type):
            lattice = Lattice.of_whole(values)
        else:
            inside = values[np.isfinite(values)]
            lattice = Lattice.of_reals(inside, single=not _is_double(self.type))
        return replace(
            self,
            counts=Counts(pa.array(values), counts).bounded(),
            distinct_hashes=Distinct.of(hash_numbers(values), counts),
            numbers=NumberSketch(
                Quantiles.of(finite.astype(np.float64)), lattice, nans, _infinite(values, counts)
            ),
        )

    def _of_values(self, values: pa.Array) -> Self:
        if not pt.is_string(values.type):
            counted = Counts.of(values)
            hashes = Distinct.of(_hash_category(counted.values), counted.counts)
            return replace(self, counts=counted.bounded(), distinct_hashes=hashes)
        texts = TextSketch.of(values)
        long = values.slice(0, 0)
        if texts.long:
            is_long = pc.greater(pc.binary_length(values), LONG_BYTES)
            long, values = values.filter(is_long), values.filter(pc.invert(is_long))
        counted = Counts.of(values)
        hashed = hash_texts(counted.values)
        hashes = Distinct.of(
            np.concatenate([hashed, hash_texts(long)]),
            np.concatenate([counted.counts, np.ones(len(long), np.int64)]),
        )
        return replace(
            self,
            counts=counted.bounded(),
            distinct_hashes=hashes,
            texts=texts,
            sample=TextSample.of(counted.values, hashed),
        )

    def merge(self, other: Self) -> Self:
        """The sketch of both parts together."""
        return type(self)(
            type=self.type,
            rows=self.rows + other.rows,
            nulls=self.nulls + other.nulls,
            counts=self.counts.merge(other.counts),
            distinct_hashes=self.distinct_hashes.merge(other.distinct_hashes),
            numbers=self.numbers and other.numbers and self.numbers.merge(other.numbers),
            texts=self.texts and other.texts and self.texts.merge(other.texts),
            sample=self.sample and other.sample and self.sample.merge(other.sample),
            ranking=_fuller(self.ranking, other.ranking),
        )

    @property
    def nans(self) -> int:
        """Rows that hold NaN."""
        return self.numbers.nans if self.numbers else 0

    @property
    def present(self) -> int:
        """Rows that hold a value, neither null nor NaN."""
        return self.rows - self.nulls - self.nans

    @cached_property
    def distinct(self) -> int:
        """The number of distinct values, nulls and NaN not counted."""
        return len(self.counts.values) if self._complete else self.distinct_hashes.estimate

    @property
    def unique(self) -> bool:
        """Whether no value occurs twice, as far as a sample of 4,096 values shows."""
        return self.distinct_hashes.unique

    @property
    def _complete(self) -> bool:
        return self.counts.exact and not (self.texts and self.texts.long)


_NO_COUNTS = Counts(pa.nulls(0), np.empty(0, np.int64))
_NO_HASHES = Distinct(np.empty(0, np.uint64), np.empty(0, np.int64))


def _fuller(
    one: tuple[object, ...] | None, other: tuple[object, ...] | None
) -> tuple[object, ...] | None:
    """The longer of two rankings, which parts of one table seldom differ in."""
    return max(one or (), other or (), key=lambda ranking: (len(ranking), str(ranking))) or None


def _infinite(values: np.ndarray, counts: np.ndarray) -> tuple[int, int]:
    """Rows of −∞ and of ∞ among distinct values and their counts."""
    if values.dtype != np.float64:
        return 0, 0
    low, high = (int(counts[values == end].sum()) for end in (-np.inf, np.inf))
    return low, high


def _is_double(kind: pa.DataType) -> bool:
    return not pt.is_floating(kind) or bool(pt.is_float64(kind))


def _unique_sorted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ordered = np.sort(values)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))[: len(ordered)]
    return ordered[first], np.diff(np.append(first, len(ordered)))


def _hash_category(values: pa.Array) -> np.ndarray:
    if pt.is_boolean(values.type):
        return hash_numbers(values.cast(pa.uint8()).to_numpy().astype(np.int64))
    return hash_numbers(to_ticks(values))
