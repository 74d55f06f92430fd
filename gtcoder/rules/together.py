"""Columns of which only those combinations occur that occurred: one code stands for all of them.

Codes are those of the combinations that enough rows share, then one for each value of the coarsest
column (rows whose combination is rarer), then one for all other rows. What a rarer row decodes to
is drawn from the combinations that go with its coarsest value.

Shapes: B rows, N combinations, G values of the coarsest column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gtcoder.rules.names import quoted
from gtcoder.table.lookup import as_lookup, from_lookup, from_plain, to_plain
from gtcoder.table.types import value_type

ROWS = "\0rows"
"""The column that counts rows, beside those of combinations; no table has one of that name."""


@dataclass(frozen=True)
class Together:
    """Which combinations of some columns occur."""

    columns: tuple[str, ...]
    """The coarsest first."""
    combinations: pa.Table | None = None
    """In their columns' lookup types and in rising order, with their number of `ROWS` (N,); None
    as long as they are not counted."""
    flags: bool = False
    """Whether exactly one of the columns is set in every row."""

    @property
    def name(self) -> str:
        """What the code is called among what is learned."""
        return ", ".join(self.columns)

    @property
    def codes(self) -> int:
        """How many codes there are, N + G + 1."""
        return len(self._rows) + len(self._groups) + 1

    @property
    def named(self) -> int:
        """How many combinations have a code of their own, N."""
        return len(self._rows)

    @cached_property
    def _rows(self) -> np.ndarray:
        """Rows of each combination, int64 (N,)."""
        assert self.combinations is not None, "combinations are counted first"
        return np.asarray(self.combinations[ROWS].to_numpy())

    @cached_property
    def _coarse(self) -> np.ndarray:
        """The place of each combination's coarsest value among `_groups`, (N,), rising."""
        return np.unique(self._places[0], return_inverse=True)[1]

    @cached_property
    def _groups(self) -> np.ndarray:
        """The coarsest values, by their places among the words of the first column, (G,)."""
        return np.unique(self._places[0])

    @cached_property
    def _words(self) -> list[pa.Array]:
        """The distinct values of each column."""
        assert self.combinations is not None, "combinations are counted first"
        return [self.combinations[name].combine_chunks().unique() for name in self.columns]

    @cached_property
    def _places(self) -> list[np.ndarray]:
        """Each combination's values as places among the words, a (N,) for each column."""
        assert self.combinations is not None, "combinations are counted first"
        pairs = zip(self.columns, self._words, strict=True)
        return [_place(self.combinations[name].combine_chunks(), words) for name, words in pairs]

    def encode(self, table: Mapping[str, pa.Array], types: Mapping[str, pa.DataType]) -> np.ndarray:
        """The codes of rows, int64 (B,)."""
        arrays = [as_lookup(table[name], types[name]) for name in self.columns]
        found = [_place(array, words) for array, words in zip(arrays, self._words, strict=True)]
        known = np.arange(len(self._rows))
        state, mine = np.zeros(len(arrays[0]), np.int64), np.zeros(len(known), np.int64)
        for rows, own, words in zip(found, self._places, self._words, strict=True):
            size = len(words) + 1
            keys, mine = np.unique(mine * size + own, return_inverse=True)
            state = _position(keys, np.where((state < 0) | (rows < 0), -1, state * size + rows))
        codes = np.full(len(state), self.codes - 1)
        group = _position(self._groups, found[0])
        codes[group >= 0] = len(known) + group[group >= 0]
        of_state = np.empty(len(known), np.int64)
        of_state[mine] = known
        codes[state >= 0] = of_state[state[state >= 0]]
        return codes

    def decode(
        self, codes: np.ndarray, uniform: np.ndarray, types: Mapping[str, pa.DataType]
    ) -> dict[str, pa.Array]:
        """The columns of codes (B,), with a number in [0, 1) of each row's own (B,)."""
        places, count = codes.astype(np.int64), len(self._rows)
        ends = np.cumsum(self._rows).astype(np.float64)
        starts = ends - self._rows
        first = np.searchsorted(self._coarse, np.arange(len(self._groups)))
        last = np.searchsorted(self._coarse, np.arange(len(self._groups)), side="right") - 1
        low, high = np.append(starts[first], 0.0), np.append(ends[last], ends[-1])
        rare = np.flatnonzero(places >= count)
        group = places[rare] - count
        drawn = low[group] + uniform[rare] * (high - low)[group]
        places[rare] = np.searchsorted(ends, drawn, side="right").clip(0, count - 1)
        assert self.combinations is not None
        taken = self.combinations.select(self.columns).take(pa.array(places))
        return {
            name: self._in_type(name, taken[name].combine_chunks(), types[name])
            for name in self.columns
        }

    def _in_type(self, name: str, values: pa.Array, kind: pa.DataType) -> pa.Array:
        """Values in a lookup type in a column's own; a dictionary has the same words always."""
        plain = from_lookup_array(values, value_type(kind))
        if not pt.is_dictionary(kind):
            return plain
        words = self._words[self.columns.index(name)].drop_null()
        indices = pc.index_in(values, value_set=words).cast(kind.index_type)
        dictionary = from_lookup_array(words, value_type(kind))
        return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=kind.ordered)

    def members(self, name: str) -> tuple[pa.Array, np.ndarray]:
        """A column's value with each code in its lookup type, and whether it is known (codes,)."""
        assert self.combinations is not None
        values = self.combinations[name].combine_chunks()
        known = np.zeros(self.codes, bool)
        known[: len(values)] = True
        if name == self.columns[0]:
            groups = self._words[0].take(pa.array(self._groups))
            known[:-1] = True
        else:
            groups = pa.nulls(len(self._groups), values.type)
        return pa.concat_arrays([values, groups, pa.nulls(1, values.type)]), known

    def says(self, table: Mapping[str, pa.Array], types: Mapping[str, pa.DataType]) -> np.ndarray:
        """Whether rows have combinations that are known, bool (B,)."""
        return self.encode(table, types) < len(self._rows)

    def knows(self, table: Mapping[str, pa.Array], types: Mapping[str, pa.DataType]) -> np.ndarray:
        """Whether each of a row's values is in a combination that is known, bool (B,)."""
        found = np.ones(len(table[self.columns[0]]), bool)
        for name, words in zip(self.columns, self._words, strict=True):
            found &= _place(as_lookup(table[name], types[name]), words) >= 0
        return found

    def __str__(self) -> str:
        word = "one of" if self.flags else "together"
        return f"{word}: {', '.join(map(quoted, self.columns))}"

    def to_dict(self) -> dict[str, Any]:
        """The rule as plain JSON values."""
        assert self.combinations is not None, "combinations are counted first"
        plain = {name: to_plain(self.combinations[name].combine_chunks()) for name in self.columns}
        return {
            "columns": list(self.columns),
            "flags": self.flags,
            "combinations": plain,
            "rows": self._rows.tolist(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], types: Mapping[str, pa.DataType]) -> Self:
        """The inverse of `to_dict`, for columns of these types."""
        arrays = {
            name: from_plain(values, types[name]) for name, values in plain["combinations"].items()
        }
        combinations = pa.table({**arrays, ROWS: pa.array(plain["rows"], pa.int64())})
        return cls(tuple(plain["columns"]), combinations, plain["flags"])


def lookup_columns(
    table: Mapping[str, pa.Array], columns: Sequence[str], types: Mapping[str, pa.DataType]
) -> pa.Table:
    """Some columns in their lookup types."""
    return pa.table({name: as_lookup(table[name], types[name]) for name in columns})


def from_lookup_array(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Values in a lookup type, some of them missing, in a type that is no dictionary."""
    whole = from_lookup(values.drop_null(), kind)
    if values.null_count:
        present = values.is_valid().to_numpy(zero_copy_only=False)
        places = np.where(present, np.cumsum(present) - 1, 0)
        taken = pa.array(places, mask=~present)
        whole = whole.take(taken) if len(whole) else pa.nulls(len(values), kind)
    return whole


def _place(values: pa.Array, words: pa.Array) -> np.ndarray:
    """The places of values among words, null among them, −1 of strangers, int64 (B,)."""
    found = pc.index_in(values, value_set=words)
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)


def _position(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The places of wanted numbers among rising keys, −1 of those that are not there."""
    at = np.searchsorted(keys, wanted).clip(0, max(len(keys) - 1, 0))
    return np.where(keys[at] == wanted, at, -1) if len(keys) else np.full(len(wanted), -1)
