"""Numbers, dates and times ⇄ an ordered code and a scalar: ticks, grid, NaN and null.

How values become codes is the coding's: quantile bins or Gaussian modes. After its codes come those
of −∞, ∞, NaN and null, where the column has any.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from zlib import crc32

import numpy as np
import pyarrow as pa

from gtcoder.codec.coding.mode import ModeCoding
from gtcoder.codec.coding.quantile import QuantileCoding
from gtcoder.codec.config import CodecConfig
from gtcoder.codec.layout import Constraint, Field, Scalar
from gtcoder.codec.transform import RowDraws
from gtcoder.sketch.column import ColumnSketch
from gtcoder.sketch.support import Grid, Support, support_of
from gtcoder.table.ticks import from_ticks, printable, to_ticks

Coding = QuantileCoding | ModeCoding

_HALVINGS = 32
"""A float32 scalar is found within so many halvings."""


@dataclass(frozen=True)
class NumberTransform:
    """The coding of one column, and what surrounds it."""

    name: str
    type: pa.DataType
    grid: Grid | None
    coding: Coding
    frequencies: tuple[float, ...]
    """Share of each code, then of NaN and of null if there are any."""
    nan: bool
    null: bool
    infinite: tuple[float, ...] = ()
    """−∞ and ∞, where enough rows are."""

    @classmethod
    def fit(cls, name: str, sketch: ColumnSketch, config: CodecConfig) -> Self:
        """The transform of a column."""
        support = support_of(sketch)
        kind = ModeCoding if config.coding == "modes" else QuantileCoding
        coding: Coding = kind.fit(support, config)
        assert sketch.numbers is not None
        ends = zip((-np.inf, np.inf), sketch.numbers.infinite, strict=True)
        infinite = {end: rows for end, rows in ends if rows >= config.min_category_rows}
        missing = [rows for rows in (sketch.nans, sketch.nulls) if rows]
        rows = [*_rows_of_codes(coding, support), *infinite.values(), *missing]
        shares = np.array(rows) / max(sum(rows), 1)
        return cls(
            name,
            sketch.type,
            support.grid,
            coding,
            tuple(shares.tolist()),
            sketch.nans > 0,
            sketch.nulls > 0,
            tuple(infinite),
        )

    @property
    def _values(self) -> int:
        """Number of codes that stand for values: the coding's and the infinities'."""
        return len(self.coding) + len(self.infinite)

    @property
    def field(self) -> Field | None:
        """An ordered field; none if the column always decodes to one value."""
        if len(self.frequencies) < 2 and self.coding.scalar is Scalar.NONE:
            return None
        return Field(
            name=self.name,
            cardinality=len(self.frequencies),
            scalar=self.coding.scalar,
            discrete=False,
            ordered=True,
            frequencies=self.frequencies,
            missing=self.nan + self.null,
            spread=(*self.coding.spread, *[False] * (len(self.frequencies) - len(self.coding))),
        )

    def encode(self, array: pa.Array, *, jitter: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Codes and scalars; the scalar of what is missing is the middle of the span.

        A value that has many scalars gets one of them, as if at random: what is learned from them
        is smooth. Without jitter it gets the middle one, whatever rows are beside it. A missing
        value in a column that had none counts as the commonest code.
        """
        ticks = to_ticks(array)
        if len(self.coding):
            values = self.grid.index(ticks) if self.grid else ticks
            within = np.full(len(ticks), 0.5, np.float32)
            if jitter:
                rng = np.random.default_rng(crc32(self.name.encode()))
                within = rng.random(len(ticks), np.float32)
            codes, scalars = self.coding.encode(values, within)
        else:
            codes, scalars = np.zeros(len(ticks), np.int16), np.zeros(len(ticks), np.float32)
        usual = int(np.argmax(self.frequencies)) if self.frequencies else 0
        if ticks.dtype != np.int64:
            for place, end in enumerate(self.infinite):
                self._put(codes, scalars, ticks == end, len(self.coding) + place)
            self._put(codes, scalars, np.isnan(ticks), self._values if self.nan else usual)
        if array.null_count:
            missing = array.is_null().to_numpy(zero_copy_only=False)
            self._put(codes, scalars, missing, len(self.frequencies) - 1 if self.null else usual)
        if self.coding.scalar is Scalar.NONE:
            scalars = np.zeros(len(codes), np.float32)
        return codes, scalars

    def _put(self, codes: np.ndarray, scalars: np.ndarray, where: np.ndarray, code: int) -> None:
        codes[where] = code
        scalars[where] = sum(self.coding.span) / 2

    def decode(self, codes: np.ndarray, scalars: np.ndarray, rows: RowDraws) -> pa.Array:
        """The values of codes and scalars."""
        missing = codes >= self._values + self.nan if self.null else None
        if len(self.coding):
            values = self.coding.decode(np.minimum(codes, len(self.coding) - 1), scalars)
        else:
            values = np.zeros(len(codes), np.float64 if self.nan else np.int64)
        ticks = self.grid.ticks(values) if self.grid else values
        decimals = self.grid.decimals if self.grid else 0
        if self.nan or self.infinite:
            ticks, decimals = ticks / 10.0**decimals, 0
            for place, end in enumerate(self.infinite):
                ticks = np.where(codes == len(self.coding) + place, end, ticks)
            if self.nan:
                ticks = np.where(codes == self._values, np.nan, ticks)
        return from_ticks(ticks, self.type, missing, decimals)

    def constrain(self, low: float, high: float) -> Constraint:
        """Where decoded ticks are within `low`..`high`, both included."""
        first, last = (np.full(len(self.coding), end, np.float32) for end in self.coding.span)
        low_at, low_met = _crossing(lambda s: self._ticks(s) >= low, first, last)
        high_at, high_met = _crossing(lambda s: self._ticks(s) <= high, last, first)
        met = low_met & high_met & (low_at <= high_at)
        share = np.where(met, self.coding.share(low_at, high_at), 0.0)
        share[met & (low_at == first) & (high_at == last)] = 1.0
        absent = np.zeros(len(self.frequencies) - len(self.coding), np.float32)
        beyond = absent.copy()
        beyond[: len(self.infinite)] = [low <= end <= high for end in self.infinite]
        return Constraint(
            np.concatenate([share.astype(np.float32), beyond]),
            np.concatenate([np.where(met, low_at, first), absent + self.coding.span[0]]),
            np.concatenate([np.where(met, high_at, last), absent + self.coding.span[1]]),
        )

    def missing(self) -> Constraint:
        """Where the value is NaN or null."""
        weights = np.zeros(len(self.frequencies), np.float32)
        weights[self._values :] = 1.0
        low, high = self.coding.span
        return Constraint(weights, np.full_like(weights, low), np.full_like(weights, high))

    def _ticks(self, scalars: np.ndarray) -> np.ndarray:
        """The ticks each code, in order, decodes to at its scalar."""
        codes = np.arange(len(self.coding), dtype=np.int16)
        values = self.coding.decode(codes, scalars)
        ticks = self.grid.ticks(values) if self.grid else values
        return to_ticks(from_ticks(ticks, self.type, None, self.grid.decimals if self.grid else 0))

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest ticks that can be decoded; there must be some."""
        low, high = (self._ticks(np.full(len(self.coding), end)) for end in self.coding.span)
        return low.min(), high.max()

    def describe(self) -> dict[str, Any]:
        """The lowest and the highest value that can be decoded, as the column's Arrow type."""
        missing = self.null or self.nan
        if not len(self.coding):
            return {"low": None, "high": None, "missing": missing}
        ends = from_ticks(np.array(self.ends), self.type)
        low_word, high_word = printable(ends).to_pylist()
        return {"low": low_word, "high": high_word, "missing": missing}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        grid = self.grid
        return {
            "grid": grid and {"decimals": grid.decimals, "step": grid.step, "anchor": grid.anchor},
            **self.coding.to_dict(),
            "frequencies": list(self.frequencies),
            "nan": self.nan,
            "null": self.null,
            **({"infinite": [str(end) for end in self.infinite]} if self.infinite else {}),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], name: str, arrow_type: pa.DataType) -> Self:
        """The inverse of `to_dict`."""
        kind = ModeCoding if plain["coding"] == "modes" else QuantileCoding
        grid = Grid(**plain["grid"]) if plain["grid"] else None
        shares = tuple(plain["frequencies"])
        coding: Coding = kind.from_dict(plain)
        infinite = tuple(float(end) for end in plain.get("infinite", ()))
        nan, null = plain["nan"], plain["null"]
        return cls(name, arrow_type, grid, coding, shares, nan, null, infinite)


def _rows_of_codes(coding: Coding, support: Support) -> list[float]:
    """How many of the column's rows each code encodes."""
    if not len(coding):
        return []
    codes, _ = coding.encode(support.values, np.zeros(len(support.values), np.float32))
    return list(np.bincount(codes, support.weights, len(coding)).tolist())


def _crossing(
    holds: Callable[[np.ndarray], np.ndarray], start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The scalar nearest `start` at which a monotone condition holds, for each code, by bisection.

    Returns:
        The scalars (K,), and whether the condition holds at `end`, and so anywhere (K,).
    """
    met = holds(end)
    fails, good = start.copy(), np.where(holds(start), start, end)
    for _ in range(_HALVINGS):
        middle = (fails + good) / np.float32(2)
        here = holds(middle)
        good, fails = np.where(here, middle, good), np.where(here, fails, middle)
    return good, met
