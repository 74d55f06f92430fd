"""How many distinct values there are, and whether they repeat, in bounded memory.

The K smallest hashes seen, each with its exact number of rows: a uniform sample of the distinct
values (bottom-k, coordinated sampling). The estimate is exact up to K values and has a relative
standard error of 1 / sqrt(K - 2) = 1.6 % past that. Merging is a set union: any order gives the
same sketch.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

K = 4096
"""Hashes kept."""

_HASHED_BYTES = 64
"""Of a string's beginning, and of its end."""

_SLICE = 4096


@dataclass(frozen=True, slots=True)
class Distinct:
    """The smallest `hashes` uint64, ascending, and the rows each stands for, `counts` int64."""

    hashes: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, hashes: np.ndarray, counts: np.ndarray) -> Self:
        """The sketch of values given by their hashes and counts; hashes may repeat."""
        if len(hashes) > 2 * K:
            kept = hashes <= np.partition(hashes, 2 * K)[2 * K]
            hashes, counts = hashes[kept], counts[kept]
        unique, where = np.unique(hashes, return_inverse=True)
        summed = np.zeros(len(unique), np.int64)
        np.add.at(summed, where, counts)
        return cls(unique[:K], summed[:K])

    def merge(self, other: Self) -> Self:
        """The sketch of both parts together."""
        return self.of(
            np.concatenate([self.hashes, other.hashes]), np.concatenate([self.counts, other.counts])
        )

    @property
    def estimate(self) -> int:
        """The number of distinct values."""
        if len(self.hashes) < K:
            return len(self.hashes)
        return round((K - 1) / (float(self.hashes[-1]) / 2.0**64))

    @property
    def unique(self) -> bool:
        """Whether no sampled value repeats."""
        return bool((self.counts == 1).all())


def hash_numbers(values: np.ndarray) -> np.ndarray:
    """splitmix64 of 8-byte numbers (B,) -> uint64 (B,)."""
    x = values.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


_COEFFICIENTS = hash_numbers(np.arange(2 * _HASHED_BYTES, dtype=np.uint64))


def hash_texts(values: pa.Array) -> np.ndarray:
    """Hashes of strings by their length, first and last 64 bytes, (B,) -> uint64 (B,).

    A random linear combination of the bytes, then splitmix64: adding up is something numpy can do.
    """
    parts = [_hash_slice(values.slice(at, _SLICE)) for at in range(0, len(values), _SLICE)]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def _hash_slice(values: pa.Array) -> np.ndarray:
    binary = values.cast(pa.large_binary())
    lengths = pc.binary_length(binary).to_numpy(zero_copy_only=False).astype(np.uint64)
    first = _combine(pc.binary_slice(binary, 0, _HASHED_BYTES), _COEFFICIENTS[:_HASHED_BYTES])
    last = _combine(pc.binary_slice(binary, -_HASHED_BYTES), _COEFFICIENTS[_HASHED_BYTES:])
    return hash_numbers(first + last + lengths)


def _combine(binary: pa.Array, coefficients: np.ndarray) -> np.ndarray:
    """The sum of each string's bytes, one up, times their places' coefficients, uint64 (B,)."""
    _, offsets, data = binary.buffers()
    ends = np.frombuffer(offsets, np.int64)[binary.offset : binary.offset + len(binary) + 1]
    size = int(ends[-1] - ends[0])
    if size == 0:
        return np.zeros(len(binary), np.uint64)
    letters = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].astype(np.uint64)
    starts = ends - ends[0]
    place = np.arange(size) - np.repeat(starts[:-1], np.diff(starts))
    sums = np.zeros(size + 1, np.uint64)
    np.cumsum((letters + np.uint64(1)) * coefficients[place], out=sums[1:])
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]])
