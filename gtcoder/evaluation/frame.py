"""Tables as arrays that can be compared: numbers as they are, categories as codes they share.

Shapes: B rows, N continuous columns, D discrete columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.evaluation.roles import Roles
from gtcoder.table.ticks import plain_values, to_ticks
from gtcoder.table.types import flat

MISSING = "(missing)"
"""How the code of missing values is shown."""

_LARGEST = 1e100
"""Numbers are cut here, so that sums of their squares stay finite."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The categories of one column; the code of a category is its place."""

    names: tuple[str | None, ...]
    """Those of the real table, missing first and then by name; after them those only elsewhere."""
    known: int
    """How many of them the real table has."""


@dataclass(frozen=True)
class Frame:
    """The rows of one table."""

    roles: Roles
    levels: Mapping[str, Levels]
    numbers: np.ndarray
    """float64 (B, N); NaN where missing or not finite."""
    codes: np.ndarray
    """int32 (B, D)."""
    starts: Mapping[str, float]
    """The real table's first point in time, in ticks, of columns that are counted from there."""

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def _places(self) -> dict[str, tuple[bool, int]]:
        continuous = {name: (True, at) for at, name in enumerate(self.roles.continuous)}
        return continuous | {name: (False, at) for at, name in enumerate(self.roles.discrete)}

    def column(self, name: str) -> np.ndarray:
        """One column, (B,)."""
        numeric, at = self._places[name]
        chosen: np.ndarray = (self.numbers if numeric else self.codes)[:, at]
        return chosen

    def take(self, rows: np.ndarray) -> Self:
        """Some rows, by place or mask."""
        return replace(self, numbers=self.numbers[rows], codes=self.codes[rows])

    def sample(self, rows: int, rng: np.random.Generator) -> Self:
        """At most so many rows, drawn uniformly, in their order."""
        if len(self) <= rows:
            return self
        return self.take(np.sort(rng.choice(len(self), rows, replace=False)))


def align(roles: Roles, real: pa.Table, *others: pa.Table) -> list[Frame]:
    """The real table and others, of the same columns and types, as frames."""
    tables = (real, *others)
    starts = _starts(roles.continuous, real)
    numbers = [_numbers(roles.continuous, starts, table) for table in tables]
    codes = [np.empty((len(table), len(roles.discrete)), np.int32) for table in tables]
    levels = {}
    for at, name in enumerate(roles.discrete):
        levels[name], coded = _code([category_texts(table[name]) for table in tables])
        for target, column in zip(codes, coded, strict=True):
            target[:, at] = column
    return [Frame(roles, levels, n, c, starts) for n, c in zip(numbers, codes, strict=True)]


def _starts(names: Sequence[str], real: pa.Table) -> dict[str, float]:
    """Where columns of time begin: counted from there, float32 holds them."""
    temporal = [n for n in names if pt.is_temporal(real[n].type) and real[n].null_count < len(real)]
    return {name: float(np.nanmin(finite_numbers(real[name]))) for name in temporal}


def _numbers(names: Sequence[str], starts: Mapping[str, float], table: pa.Table) -> np.ndarray:
    columns = [finite_numbers(table[name]) - starts.get(name, 0.0) for name in names]
    return np.stack(columns, 1) if columns else np.empty((len(table), 0))


def finite_numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A column's numbers, float64 (B,); NaN where missing or not finite."""
    array = flat(column)
    if pt.is_null(array.type):
        return np.full(len(array), np.nan)
    if pt.is_float16(array.type):
        array = array.cast(pa.float32())
    values = to_ticks(array).astype(np.float64)
    if pt.is_decimal(array.type):
        values = array.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    if array.null_count:
        values[pc.is_null(array).to_numpy(zero_copy_only=False)] = np.nan
    values[~np.isfinite(values)] = np.nan
    return np.clip(values, -_LARGEST, _LARGEST)


def category_texts(column: pa.ChunkedArray) -> pa.Array:
    """A column's categories as text; NaN is missing like null."""
    array = plain_values(flat(column))
    if pt.is_null(array.type):
        return pa.nulls(len(array), pa.string())
    if pt.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), None, array)
    return array.cast(pa.string())


def _code(columns: Sequence[pa.Array]) -> tuple[Levels, list[np.ndarray]]:
    seen = [pc.unique(column).to_pylist() for column in columns]
    known = sorted(set(seen[0]), key=_missing_first)
    extra = sorted({v for values in seen[1:] for v in values} - set(known), key=_missing_first)
    names = (*known, *extra)
    value_set = pa.array(names, pa.string())
    coded = [
        pc.index_in(column, value_set=value_set).to_numpy(zero_copy_only=False).astype(np.int32)
        for column in columns
    ]
    return Levels(names, len(known)), coded


def _missing_first(name: str | None) -> tuple[bool, str]:
    return name is not None, name or ""
