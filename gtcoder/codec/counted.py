"""How many rows of another table go into each code of a column: by its sketch, without its rows.

Shapes: V codes of a column, D distinct values of the other table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.codec.category import OTHER, CategoryTransform
from gtcoder.codec.config import MIN_CATEGORY_ROWS
from gtcoder.codec.constant import ConstantTransform
from gtcoder.codec.number import NumberTransform
from gtcoder.codec.pattern import PatternTransform
from gtcoder.codec.transform import Transform
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.support import support_of
from gtcoder.table.lookup import as_lookup, from_lookup
from gtcoder.table.ticks import from_ticks, to_ticks
from gtcoder.table.types import value_type


@dataclass(frozen=True, slots=True)
class Misfit:
    """Rows whose value has no code of its own."""

    what: str
    """What they are: "beyond its range"."""
    rows: float
    usual: float
    """So many of them were to be expected."""
    becomes: str
    """What they are learned as."""

    @property
    def matters(self) -> bool:
        """Whether they are more than those of rows of the same kind would be, by 4 deviations."""
        return self.rows > self.usual + 4 * self.usual**0.5


@dataclass(frozen=True, slots=True)
class Counted:
    """A column's rows by code, before and now."""

    before: np.ndarray
    """Shares of the codes (V + 1,); the last is of rows that none is for: 0."""
    now: np.ndarray
    """Rows of the codes (V + 1,)."""
    misfits: tuple[Misfit, ...] = ()
    usual_code: int = 0
    """The code in which the rows are put that none is for."""


def counted(transform: Transform, sketch: ColumnSketch, known_rows: int) -> Counted | None:
    """The rows of a column by code; nothing where nothing is known of its values.

    Args:
        transform: of the column.
        sketch: of the column in the other table, whose type converts to the transform's.
        known_rows: how many rows the transform was fitted on.
    """
    match transform:
        case NumberTransform():
            return _numbers(transform, sketch, known_rows)
        case CategoryTransform():
            return _categories(transform, sketch)
        case PatternTransform():
            now = np.array([sketch.present, sketch.nulls, 0.0])
            return Counted(np.array([1 - transform.missing, transform.missing, 0.0]), now)
        case ConstantTransform(value=pa.Array()):
            return _constant(transform, sketch)
    return None


def _categories(transform: CategoryTransform, sketch: ColumnSketch) -> Counted:
    known, size = len(transform.values), len(transform.frequencies)
    found = pc.index_in(_lookup(sketch, transform.type), value_set=transform.values)
    codes = pc.fill_null(found, known).to_numpy()
    now = np.zeros(size + 1)
    now[:known] = np.bincount(codes, sketch.counts.counts, known + 1)[:known]
    strange, missing = sketch.present - now.sum(), sketch.nulls + sketch.nans
    now[known if transform.rest else size] += strange
    now[size - 1 if transform.null else size] += missing
    new = int((codes == known).sum())
    where = "in categories" if not sketch.counts.exact else f"in {new:,} categories"
    where = "in a category" if new == 1 and sketch.counts.exact else where
    usual, becomes = 0.0, "the commonest"
    if transform.rest:
        usual = transform.frequencies[known] * sketch.rows
        becomes = OTHER if transform.says_other else "any of the others"
    misfits = [Misfit(f"{where} without a name", strange, usual, becomes)]
    if not transform.null:
        misfits.append(Misfit("missing where none was", missing, 0, "the commonest"))
    return Counted(_before(transform.frequencies), now, tuple(misfits))


def _numbers(transform: NumberTransform, sketch: ColumnSketch, known_rows: int) -> Counted:
    size, values = len(transform.frequencies), len(transform.coding)
    now = np.zeros(size + 1)
    array, weights = _support(sketch, transform.type)
    if values:
        codes, _ = transform.encode(array)
        now[:size] += np.bincount(codes, weights, size)
    else:
        now[size] += weights.sum()
    now[values + len(transform.infinite) if transform.nan else size] += sketch.nans
    now[size - 1 if transform.null else size] += sketch.nulls
    missing = (not transform.nan) * sketch.nans + (not transform.null) * sketch.nulls
    misfits = [Misfit("missing where none was", missing, 0, "the commonest")]
    if values:
        # An end of the range is a mean over so many rows: some of them lie beyond it.
        usual = MIN_CATEGORY_ROWS * sketch.rows / max(known_rows, 1)
        ticks, (low, high) = to_ticks(array), transform.ends
        for what, where in (("below", ticks < low), ("above", ticks > high)):
            beyond = float(weights[where & ~np.isin(ticks, transform.infinite)].sum())
            misfits.append(Misfit(f"{what} its range", beyond, usual, "its end"))
    usual_code = int(np.argmax(transform.frequencies)) if size else 0
    return Counted(_before(transform.frequencies), now, tuple(misfits), usual_code)


def _constant(transform: ConstantTransform, sketch: ColumnSketch) -> Counted:
    same = pc.is_in(_lookup(sketch, transform.type), value_set=transform.value)
    rows = float(sketch.counts.counts[same.to_numpy(zero_copy_only=False)].sum())
    others = Misfit("other than its one value", sketch.rows - rows, 0, "that one")
    return Counted(np.array([1.0, 0.0]), np.array([rows, others.rows]), (others,))


def _before(frequencies: tuple[float, ...]) -> np.ndarray:
    return np.array([*frequencies, 0.0])


def _lookup(sketch: ColumnSketch, kind: pa.DataType) -> pa.Array:
    """The distinct values of a column as a column of another type looks them up, (D,)."""
    values = from_lookup(sketch.counts.values, value_type(sketch.type))
    return as_lookup(values.cast(value_type(kind), safe=False), kind)


def _support(sketch: ColumnSketch, kind: pa.DataType) -> tuple[Any, np.ndarray]:
    """Distinct numbers of a column in another type, infinities too, (D,), and their rows (D,)."""
    if sketch.numbers is None:  # a column of nothing but nulls
        return pa.nulls(0, kind), np.zeros(0)
    support = support_of(sketch)
    ticks, decimals = support.values, 0
    if support.grid:
        ticks, decimals = support.grid.ticks(ticks), support.grid.decimals
    array, weights = from_ticks(ticks, sketch.type, None, decimals), support.weights
    if sum(sketch.numbers.infinite):
        ends = from_ticks(np.array([-np.inf, np.inf]), sketch.type)
        array = pa.concat_arrays([array, ends])
        weights = np.concatenate([weights, sketch.numbers.infinite])
    return array.cast(kind, safe=False), weights


def missing_codes(transform: Any) -> list[int]:
    """The codes of a column that mean that there is no value."""
    size = len(transform.frequencies) if hasattr(transform, "frequencies") else 2
    match transform:
        case NumberTransform():
            return list(range(size - transform.nan - transform.null, size))
        case CategoryTransform():
            return [size - 1] if transform.null else []
        case PatternTransform():
            return [1]
    return []


def names(transform: Transform) -> Mapping[int, str]:
    """What the codes are called, where they are categories."""
    if not isinstance(transform, CategoryTransform):
        return {}
    described = transform.describe()["categories"]
    return {code: repr(name) for code, name in enumerate(described)}
