"""The grid a column's numbers stand on: whole hours, multiples of five, two decimals.

Every value is (anchor + step * k) / 10**decimals for a whole k. Merging takes the coarsest grid
that holds both parts, so it is associative and commutative.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

MAX_DECIMALS = 6
"""Reals with more decimals than this are taken as continuous."""

_LARGEST_TICK = 2.0**53
_SAMPLE = 512


@dataclass(frozen=True, slots=True)
class Lattice:
    """A grid; `regular` is false once some value stands on none."""

    regular: bool = True
    decimals: int = 0
    step: int = 0
    """0 as long as there is only one value."""
    anchor: int | None = None
    """Some value of the column in ticks, None before the first."""

    @classmethod
    def of_whole(cls, ticks: np.ndarray) -> Self:
        """The grid of int64 ticks (B,)."""
        if len(ticks) == 0:
            return cls()
        low = ticks.min()
        return cls(step=_gcd((ticks - low).view(np.uint64)), anchor=int(low))

    @classmethod
    def of_reals(cls, values: np.ndarray, *, single: bool) -> Self:
        """The grid of finite float64 values (B,), read as float32 if `single`."""
        if len(values) == 0:
            return cls()
        limit = 2.0**22 if single else _LARGEST_TICK
        dtype = np.float32 if single else np.float64
        for decimals in range(MAX_DECIMALS + 1):
            for part in (values[:_SAMPLE], values):
                with np.errstate(over="ignore"):
                    ticks = np.rint(part * 10.0**decimals)
                back = (ticks / 10.0**decimals).astype(dtype)
                if np.abs(ticks).max() > limit or not np.array_equal(back, part.astype(dtype)):
                    break
            else:
                whole = cls.of_whole(ticks.astype(np.int64))
                return cls(decimals=decimals, step=whole.step, anchor=whole.anchor)
        return cls(regular=False)

    def merge(self, other: Self) -> Self:
        """The grid that holds the values of both."""
        if not (self.regular and other.regular):
            return type(self)(regular=False)
        if self.anchor is None or other.anchor is None:
            return self if other.anchor is None else other
        decimals = max(self.decimals, other.decimals)
        here, there = 10 ** (decimals - self.decimals), 10 ** (decimals - other.decimals)
        a, b = self.anchor * here, other.anchor * there
        step = math.gcd(self.step * here, other.step * there, abs(a - b))
        return type(self)(decimals=decimals, step=step, anchor=min(a, b))


def _gcd(distances: np.ndarray) -> int:
    """The gcd of uint64 distances, looking closely only at those that change it."""
    step = 0
    while True:
        left = distances[distances % np.uint64(step) != 0] if step else distances[distances != 0]
        if len(left) == 0 or step == 1:
            return step
        step = math.gcd(step, int(np.gcd.reduce(left[:_SAMPLE])))
