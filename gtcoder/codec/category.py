"""Categories ⇄ a code: the frequent by name, the rest together, missing last.

A category that fewer than `min_category_rows` rows share has no name here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.codec.config import CodecConfig
from gtcoder.codec.layout import Constraint, Field, Scalar
from gtcoder.codec.transform import RowDraws
from gtcoder.sketch.column import ColumnSketch
from gtcoder.table.lookup import as_lookup, from_lookup, from_plain, to_plain
from gtcoder.table.ticks import printable, take
from gtcoder.table.types import is_text, value_type

OTHER = "<other>"
"""What the rest decodes to, in columns of text where it is common."""

_COMMON_REST = 0.01


@dataclass(frozen=True)
class CategoryTransform:
    """The codes of one column of categories."""

    name: str
    type: pa.DataType
    values: pa.Array
    """The categories by falling frequency, or in an ordered dictionary's own order, in
    `lookup_type`."""
    frequencies: tuple[float, ...]
    """Share of each category, then of the rest and of null if there are any."""
    rest: bool
    null: bool
    levels: pa.Array | None = None
    """The words of a dictionary in its own order, where some of them never occur."""

    @classmethod
    def fit(cls, name: str, sketch: ColumnSketch, config: CodecConfig) -> Self:
        """The transform of a column."""
        counts = sketch.counts.counts
        values = as_lookup(sketch.counts.values, sketch.type)
        order = _by_frequency(values, counts)
        order = order[counts[order] >= config.min_category_rows][: config.max_categories]
        levels = None
        if sketch.ranking is not None:
            order = _by_ranking(order, values, sketch)
            levels = _levels(values.take(pa.array(order)), values, sketch)
        named = counts[order]
        missing = sketch.nulls + sketch.nans
        rest = sketch.rows - missing - int(named.sum())
        rows = np.array([*named, *(n for n in (rest, missing) if n)], np.float64)
        shares = tuple((rows / max(rows.sum(), 1)).tolist())
        kept = values.take(pa.array(order))
        return cls(name, sketch.type, kept, shares, rest > 0, missing > 0, levels)

    @property
    def field(self) -> Field | None:
        """A discrete field; none if there is but one code."""
        if len(self.frequencies) < 2:
            return None
        return Field(
            name=self.name,
            cardinality=len(self.frequencies),
            scalar=Scalar.NONE,
            discrete=True,
            ordered=False,
            frequencies=self.frequencies,
        )

    def encode(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Codes and zeros; a category never seen counts among the rest, or as the commonest."""
        if pt.is_dictionary(array.type) and len(array.dictionary) < len(array):
            table = np.append(self._codes(array.dictionary), self._null_code)
            places = pc.fill_null(array.indices, len(array.dictionary)).to_numpy()
            codes = table[places]
        else:
            codes = self._codes(array)
        return codes, np.zeros(len(codes), np.float32)

    def _codes(self, array: pa.Array) -> np.ndarray:
        unknown = len(self.values) if self.rest else 0
        lookup = as_lookup(array, self.type)
        found = pc.index_in(lookup, value_set=self.values)
        codes = pc.fill_null(found, unknown).to_numpy().astype(np.int16)
        if lookup.null_count:
            codes[lookup.is_null().to_numpy(zero_copy_only=False)] = self._null_code
        return codes

    @property
    def _null_code(self) -> int:
        return len(self.frequencies) - 1 if self.null else 0

    def decode(self, codes: np.ndarray, scalars: np.ndarray, rows: RowDraws) -> pa.Array:
        """The categories; the rest becomes `<other>`, or a draw from the named where it is rare."""
        known = len(self.values)
        if self.rest and known and not self.says_other:
            lost = np.flatnonzero(codes == known)
            shares = np.cumsum(self.frequencies[:known])
            drawn = np.searchsorted(shares / shares[-1], rows.draws(lost), side="right")
            codes = codes.copy()
            codes[lost] = np.minimum(drawn, known - 1)
        if pt.is_dictionary(self.type):
            return self._dictionary_array(codes)
        return take(self._decoded, codes)

    def _dictionary_array(self, codes: np.ndarray) -> pa.Array:
        """A dictionary without null among its words; what has no word is null by its index."""
        words, places = self._words
        indices = places[codes]
        missing = indices < 0
        kept = np.where(missing, 0, indices).astype(self.type.index_type.to_pandas_dtype())
        return pa.DictionaryArray.from_arrays(
            pa.array(kept, self.type.index_type, mask=missing if missing.any() else None),
            words,
            ordered=self.type.ordered,
        )

    @cached_property
    def _words(self) -> tuple[pa.Array, np.ndarray]:
        """The words of the dictionary, and the place among them of each code, -1 for null."""
        kind = value_type(self.type)
        words = from_lookup(self.values if self.levels is None else self.levels, kind)
        places = np.full(len(self.frequencies) or 1, -1)
        found = np.arange(len(self.values))
        if self.levels is not None:
            found = pc.index_in(self.values, value_set=self.levels).to_numpy()
        places[: len(self.values)] = found
        if self.says_other:
            places[len(self.values)] = len(words)
            words = pa.concat_arrays([words, pa.array([OTHER], words.type)])
        return words, places

    @property
    def says_other(self) -> bool:
        """Whether the rest comes back as `<other>`: in text, where it is common or all there is."""
        known = len(self.values)
        if not (self.rest and is_text(value_type(self.type))):
            return False
        return known == 0 or self.frequencies[known] >= _COMMON_REST

    @cached_property
    def _decoded(self) -> pa.Array:
        """What each code decodes to, in the column's (value) type."""
        kind = value_type(self.type)
        words = from_lookup(self.values, kind)
        if self.rest:
            other = pa.array([OTHER if self.says_other else None], words.type)
            words = pa.concat_arrays([words, other])
        if self.null:
            words = pa.concat_arrays([words, pa.nulls(1, words.type)])
        return words

    def constrain(self, wanted: pa.Array) -> Constraint:
        """Where the category is one of `wanted`, in the lookup type."""
        met = pc.is_in(self.values, value_set=wanted).to_numpy(zero_copy_only=False)
        weights = np.zeros(len(self.frequencies), np.float32)
        weights[: len(met)] = met
        if self.says_other and OTHER in wanted.to_pylist():
            weights[len(self.values)] = 1.0
        return Constraint(weights, np.zeros_like(weights), np.zeros_like(weights))

    def missing(self) -> Constraint:
        """Where the value is null."""
        weights = np.zeros(len(self.frequencies), np.float32)
        weights[len(weights) - self.null :] = 1.0
        return Constraint(weights, np.zeros_like(weights), np.zeros_like(weights))

    def describe(self) -> dict[str, Any]:
        """The named categories, commonest first."""
        named = from_lookup(self.values, value_type(self.type))
        return {"categories": printable(named).to_pylist(), "missing": self.null}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "values": to_plain(self.values),
            "frequencies": list(self.frequencies),
            "rest": self.rest,
            "null": self.null,
            **({} if self.levels is None else {"levels": to_plain(self.levels)}),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], name: str, arrow_type: pa.DataType) -> Self:
        """The inverse of `to_dict`."""
        values, shares = from_plain(plain["values"], arrow_type), tuple(plain["frequencies"])
        levels = from_plain(plain["levels"], arrow_type) if "levels" in plain else None
        return cls(name, arrow_type, values, shares, plain["rest"], plain["null"], levels)


def _levels(named: pa.Array, values: pa.Array, sketch: ColumnSketch) -> pa.Array | None:
    """The words of an ordered dictionary less those of a few rows; None if all are named.

    A word that no row has is part of the scale that an ordered dictionary is. Elsewhere it may be
    what is left of rows taken out, and is not told.
    """
    if not (pt.is_dictionary(sketch.type) and sketch.type.ordered):
        return None
    ranking = as_lookup(pa.array(sketch.ranking, value_type(sketch.type)), sketch.type)
    few = pc.and_(
        pc.is_in(ranking, value_set=values), pc.invert(pc.is_in(ranking, value_set=named))
    )
    levels = ranking.filter(pc.invert(few))
    return levels if len(levels) > len(named) and sketch.counts.exact else None


def rest_note(transform: CategoryTransform, sketch: ColumnSketch, min_rows: int) -> str:
    """What becomes of the rows whose categories have no name; nothing where there are none."""
    rest = sketch.rows - sketch.nulls - sketch.nans - _rows_named(transform, sketch)
    if rest <= 0:
        return ""
    rows = "1 row" if rest == 1 else f"{rest:,} rows"
    few = f"{rows} ({rest / sketch.rows:.1%}) of categories that fewer than {min_rows} share"
    if not len(transform.values):
        return f"{few}: come back as " + (f"{OTHER}" if transform.says_other else "missing")
    become = OTHER if transform.says_other else "one of the others"
    return f"{few} or beyond the {len(transform.values):,} commonest: come back as {become}"


def _rows_named(transform: CategoryTransform, sketch: ColumnSketch) -> int:
    values = as_lookup(sketch.counts.values, sketch.type)
    named = pc.is_in(values, value_set=transform.values).to_numpy(zero_copy_only=False)
    return int(sketch.counts.counts[named].sum())


def _by_ranking(places: np.ndarray, values: pa.Array, sketch: ColumnSketch) -> np.ndarray:
    """The same places, in the order that the column's own dictionary gives their values."""
    ranking = pa.array(sketch.ranking, value_type(sketch.type))
    found = pc.index_in(values.take(pa.array(places)), as_lookup(ranking, sketch.type))
    at = pc.fill_null(found, len(ranking)).to_numpy()
    return np.asarray(places[np.argsort(at, kind="stable")])


def _by_frequency(values: pa.Array, counts: np.ndarray) -> np.ndarray:
    """Places by falling count, ties by value, so that no order of parts shows."""
    if len(values) == 0:
        return np.empty(0, np.int64)
    by_value = pc.sort_indices(values.cast(pa.uint8()) if pt.is_boolean(values.type) else values)
    places = by_value.to_numpy().astype(np.int64)
    return places[np.argsort(-counts[places], kind="stable")]
