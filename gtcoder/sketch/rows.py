"""A uniform sample of a table's distinct rows, and how often each occurs: the smallest hashes.

Merging keeps the smallest of both, so any order of parts gives the same sample (bottom-k).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.sketch.distinct import hash_numbers, hash_texts
from gtcoder.table.ticks import plain_values, to_ticks
from gtcoder.table.types import Family, family_of, flat

CELLS = 1 << 21
"""Values kept, about."""
FEWEST, MOST = 1_024, 8_192
"""Rows kept: so many of a wide table, and of a narrow one."""
_NULL = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class RowSample:
    """Distinct rows, dictionaries decoded, with their hashes and how often each occurs (≤ K,)."""

    distinct: pa.Table
    hashes: np.ndarray
    """uint64, in rising order."""
    counts: np.ndarray
    """int64."""

    @classmethod
    def of(cls, table: pa.Table | pa.RecordBatch) -> Self:
        """The sample of one part of a table."""
        names = [field.name for field in table.schema if family_of(field.type) not in _NOT_SAMPLED]
        arrays = {name: flat(table.column(name)) for name in names}
        hashes = np.zeros(table.num_rows, np.uint64)
        for array in arrays.values():
            hashes = hash_numbers(hashes + _hashes(array))
        kept, first, counts = _smallest(hashes, np.ones(len(hashes), np.int64), _size(len(names)))
        places = pa.array(first)
        plain = {name: plain_values(array).take(places) for name, array in arrays.items()}
        return cls(pa.table(plain), kept, counts)

    def merge(self, other: Self) -> Self:
        """The sample of both parts together."""
        hashes = np.concatenate([self.hashes, other.hashes])
        rows = np.concatenate([self.counts, other.counts])
        kept, first, counts = _smallest(hashes, rows, _size(self.distinct.num_columns))
        distinct = pa.concat_tables([self.distinct, other.distinct])
        return type(self)(distinct.take(pa.array(first)).combine_chunks(), kept, counts)

    @property
    def rows(self) -> pa.Table:
        """The rows, each as often as it occurs, as far as there is room; at least once."""
        room = _size(self.distinct.num_columns)
        total = int(self.counts.sum())
        times = self.counts if total <= room else np.rint(self.counts * (room / total))
        places = np.repeat(np.arange(len(self.counts)), np.maximum(times, 1).astype(np.int64))
        return self.distinct.take(pa.array(places))


_NOT_SAMPLED = frozenset({Family.BINARY, Family.EMPTY, Family.UNSUPPORTED})


def _size(columns: int) -> int:
    return min(max(CELLS // max(columns, 1), FEWEST), MOST)


def _smallest(
    hashes: np.ndarray, rows: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The smallest distinct hashes in rising order, where each is first, and its rows."""
    places = np.arange(len(hashes))
    if len(hashes) > 4 * size:
        few = np.partition(hashes, 4 * size)[4 * size]
        if len(np.unique(hashes[hashes <= few])) >= size:
            places = np.flatnonzero(hashes <= few)
    kept, first, which = np.unique(hashes[places], return_index=True, return_inverse=True)
    counts = np.bincount(which, rows[places], len(kept)).astype(np.int64)
    return kept[:size], places[first[:size]], counts[:size]


def _hashes(array: pa.Array) -> np.ndarray:
    """A hash of each value, null's own for what is missing, uint64 (B,)."""
    plain = plain_values(array)
    family = family_of(plain.type)
    if family is Family.TEXT:
        words = plain.dictionary_encode()
        each = np.append(hash_texts(words.dictionary), _NULL)
        places = words.indices.fill_null(len(words.dictionary)).to_numpy(zero_copy_only=False)
        return np.asarray(each[places])
    if family is Family.BOOLEAN:
        ticks = plain.cast(pa.int8()).fill_null(0).to_numpy().astype(np.int64)
    else:
        ticks = to_ticks(plain)
        ticks = ticks + 0.0 if pt.is_floating(plain.type) else ticks  # no -0.0
    hashes = hash_numbers(np.ascontiguousarray(ticks))
    if plain.null_count:
        missing = plain.is_null().to_numpy(zero_copy_only=False)
        hashes = np.where(missing, _NULL, hashes)
    return hashes
