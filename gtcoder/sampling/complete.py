"""Completing rows: cells that are missing, or whole columns, drawn to go with the row's others.

A field is given where all cells are there that it follows from. What a rule keeps together and is
there in part is drawn first, among the combinations that have that part, and the rest of the row to
go with it. Where a cell follows from others
by a rule and one of those is missing, the row is drawn anew until it keeps the rule, and where it
nearly follows, until it does so about as nearly as other rows do.

Shapes: B rows, K fields, V codes of a field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.codec.category import CategoryTransform
from gtcoder.codec.codec import Codec, column_of
from gtcoder.codec.counted import missing_codes
from gtcoder.codec.layout import take
from gtcoder.codec.number import NumberTransform
from gtcoder.errors import GTCoderError, TableError
from gtcoder.rules.formula import computed, solved
from gtcoder.rules.rule import Derived, Rule, is_missing, is_near
from gtcoder.rules.rules import fields_beside
from gtcoder.rules.together import Together
from gtcoder.rules.values import instead
from gtcoder.sampling.draw import Drawer
from gtcoder.sampling.sample import DECODE_COLUMNS, numbers_of
from gtcoder.seeds import Purpose
from gtcoder.table.lookup import as_lookup
from gtcoder.table.types import flat

ATTEMPTS = 64
"""At a row whose cells have to keep a rule with those that are there."""
AT_ONCE = 1 << 16
"""Rows that are drawn at once."""
_BROKEN = 2
_IN_PART = 1
"""Tells the random numbers of what is drawn first from the others."""


@dataclass(frozen=True, slots=True)
class Completed:
    """Rows of which nothing is missing any more, but what rules want so."""

    table: pa.Table
    filled: int
    """Cells that were drawn."""
    broken: int
    """Rows in which a cell that was drawn does not go with those that were there, by a rule."""


class Completer:
    """Completes the rows of a table of a bundle's kind."""

    def __init__(self, drawer: Drawer, codec: Codec) -> None:
        """A completer.

        Raises:
            GTCoderError: the model was not trained to complete rows.
        """
        if not drawer.folded.conditional:
            raise GTCoderError(
                "this model cannot complete rows, as it was not trained to (the paper's preset); "
                "train one with the default preset"
            )
        self.drawer, self.codec = drawer, codec

    def complete(
        self, table: pa.Table, *, seed: int, start: int = 0, columns: Sequence[str] = ()
    ) -> Completed:
        """Rows with what is missing drawn; all else is as it was.

        Args:
            table: in the types of the bundle's columns; what it lacks of them is drawn whole.
            seed: the same seed completes the same row alike.
            start: the number of the first row, from which the random numbers of each follow.
            columns: are drawn whole as well, missing where the model says so.

        Raises:
            TableError: a column is none of the table's.
        """
        names = self.codec.schema.names
        for name in columns:
            if name not in names:
                raise TableError(f"columns: expected some of {', '.join(names)}; found {name!r}")
        whole = [*columns, *(name for name in names if name not in table.schema.names)]
        cells = self._cells(table, whole)
        blank = {
            name: np.ones(len(table), bool) if name in whole else is_missing(array)
            for name, array in cells.items()
        }
        left = self._solved(cells, blank)
        done = pa.Table.from_arrays([cells[name] for name in names], schema=self.codec.schema.arrow)
        done, broken = self._filled(done, left, _Asked(seed, start, frozenset(whole)))
        filled = sum(
            int((each & ~is_missing(flat(done[name]))).sum()) for name, each in blank.items()
        )
        return Completed(done, filled, broken)

    def _cells(self, table: pa.Table, whole: Sequence[str]) -> dict[str, pa.Array]:
        """Each column in its type; of those that are drawn whole, nothing."""
        return {
            column.name: pa.nulls(len(table), column.type)
            if column.name in whole
            else column_of(table, column)
            for column in self.codec.schema.columns
        }

    def _solved(
        self, cells: dict[str, pa.Array], blank: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Which cells are still missing, bool (B,) each, once formulas are solved for them.

        Args:
            cells: each column's; those of which all else of a formula is there are computed.
            blank: which are missing, bool (B,) each.
        """
        left = dict(blank)
        for rule in self.codec.rules.kept:
            if not isinstance(rule, Derived):
                continue
            gone = np.stack([left[name] for name in rule.columns[1:]])
            alone = (gone.sum(0) == 1) & ~left[rule.target]
            for name in rule.columns[1:]:
                formula, where = solved(rule.formula, rule.target, name), alone & left[name]
                if formula is None or not where.any():
                    continue
                found = computed(formula, cells, cells[name].type, self._decimals(name))
                whole = {**cells, name: instead(cells[name], found, where)}
                where = where & (rule.agrees(whole) == 1)
                cells[name] = instead(cells[name], found, where)
                left[name] = left[name] & ~where
        return left

    def _decimals(self, name: str) -> int | None:
        """How many a column's numbers are rounded to, if they are."""
        transform = self.codec.transform_of(name)
        grid = transform.grid if isinstance(transform, NumberTransform) else None
        return grid.decimals if grid else None

    def _filled(
        self, done: pa.Table, blank: Mapping[str, np.ndarray], asked: "_Asked"
    ) -> tuple[pa.Table, int]:
        """Rows with their blank cells drawn, anew where they break a rule; how many still do."""
        wanted = todo = np.flatnonzero(np.any(list(blank.values()), axis=0))
        parts, places, before = [done], np.arange(len(done)), len(done)
        amiss = np.full(len(done), _BROKEN + 2)  # of the draw that is kept, the best so far
        for attempt in range(ATTEMPTS):
            if not len(todo):
                break
            for at in range(0, len(todo), AT_ONCE):
                rows = todo[at : at + AT_ONCE]
                missing = {name: each[rows] for name, each in blank.items()}
                drawn = self._drawn(done.take(pa.array(rows)), missing, asked, rows, attempt)
                found = self._amiss(drawn, missing)
                better = np.flatnonzero(found < amiss[rows])
                amiss[rows[better]] = found[better]
                places[rows[better]] = before + np.arange(len(better))
                parts.append(drawn.take(pa.array(better)))
                before += len(better)
            todo = todo[amiss[todo] > 0]
        broken = int((amiss[wanted] >= _BROKEN).sum())
        return pa.concat_tables(parts).take(pa.array(places)), broken

    def _drawn(
        self,
        rows: pa.Table,
        missing: Mapping[str, np.ndarray],
        asked: "_Asked",
        places: np.ndarray,
        attempt: int,
    ) -> pa.Table:
        """Rows with their missing cells drawn once."""
        encoded, numbers = self.codec.encode(rows, jitter=False), places + asked.start
        absent = [np.stack([missing[name] for name in names]) for names in self._needs]
        given = ~np.stack([each.any(0) for each in absent], 1)  # (B, K)
        in_part = ~given & ~np.stack([each.all(0) for each in absent], 1) & self._together
        within = self._within(rows, missing, asked.whole)
        width = self.drawer.width(self.drawer.free) + DECODE_COLUMNS
        uniforms_of = partial(numbers_of, asked.seed, Purpose.COMPLETED)
        if (some := in_part.any(1)).any():
            first = self.drawer.complete(
                take(encoded, some),
                given[some],
                {k: each[some] for k, each in within.items()},
                uniforms_of(numbers[some], width, attempt, _IN_PART)[:, DECODE_COLUMNS:],
            )
            encoded.codes[in_part] = first.codes[in_part[some]]
            encoded.scalars[in_part] = first.scalars[in_part[some]]
            given |= in_part
        uniforms = uniforms_of(numbers, width, attempt)
        drawn = self.drawer.complete(encoded, given, within, uniforms[:, DECODE_COLUMNS:])
        table = self.codec.decode(drawn, uniforms[:, :DECODE_COLUMNS].copy(), numbers)
        arrays = [
            instead(flat(rows[name]), flat(table[name]), missing[name])
            for name in self.codec.schema.names
        ]
        return pa.Table.from_arrays(arrays, schema=self.codec.schema.arrow)

    @cached_property
    def _needs(self) -> list[tuple[str, ...]]:
        """The table's columns that each field follows from."""
        schema, rules = self.codec.schema, self.codec.rules
        needs: dict[str, tuple[str, ...]] = {name: (name,) for name in schema.names}
        for rule in rules.kept:
            if isinstance(rule, Together):
                needs[rule.name] = rule.columns
            elif isinstance(rule, Derived):
                beside = fields_beside(rule, schema.arrow.field(rule.target))
                needs |= dict.fromkeys((field.name for field in beside), rule.columns)
        places = {k: at for at, k in self.codec.places.items()}
        return [needs[self.codec.learned[places[k]].name] for k in range(len(places))]

    @cached_property
    def _together(self) -> np.ndarray:
        """Which fields are of columns that a rule keeps together, bool (K,)."""
        kept = {rule.columns for rule in self.codec.rules.kept if isinstance(rule, Together)}
        return np.array([names in kept for names in self._needs])

    def _within(
        self, rows: pa.Table, missing: Mapping[str, np.ndarray], whole: frozenset[str]
    ) -> dict[int, np.ndarray]:
        """Which codes fields may have in rows where they are drawn, bool (B, V)."""
        within = {}
        for at, k in self.codec.places.items():
            field, name = self.codec.layout.fields[k], self.codec.learned[at].name
            rule = next((r for r in self.codec.rules.kept if r.columns == self._needs[k]), None)
            if isinstance(rule, Together):
                allowed = self._in_part(rule, at, rows, missing)
            else:
                absent = missing_codes(self.codec.transforms[at])
                if name in whole or not len(absent):
                    continue
                allowed = np.ones((len(rows), field.cardinality), bool)
                allowed[:, absent] = False
            if allowed.any():
                within[k] = allowed
        return within

    def _in_part(
        self, rule: Together, at: int, rows: pa.Table, missing: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """The combinations that have what is there of them, bool (B, V); all where none has."""
        transform = self.codec.transforms[at]
        assert isinstance(transform, CategoryTransform)
        size = self.codec.layout.fields[self.codec.places[at]].cardinality
        of_code = transform.values.to_numpy(zero_copy_only=False)
        allowed = np.ones((len(rows), size), bool)
        for name in rule.columns:
            values, known = rule.members(name)
            words = values.unique()
            mine = pc.index_in(values, value_set=words).to_numpy(zero_copy_only=False)
            cell = as_lookup(flat(rows[name]), self.codec.schema[name].type)
            wanted = pc.fill_null(pc.index_in(cell, value_set=words), -1).to_numpy()
            has = np.zeros((len(rows), size), bool)
            has[:, : len(of_code)] = (mine == wanted[:, None])[:, of_code] & known[of_code]
            allowed &= has | missing[name][:, None]
        return allowed | ~allowed.any(1, keepdims=True)

    def _amiss(self, rows: pa.Table, missing: Mapping[str, np.ndarray]) -> np.ndarray:
        """How wrong rows are by rules that a drawn cell is in, int64 (B,).

        0 of what keeps all, 1 of what is far from what nearly gives a cell that was there,
        `_BROKEN` or more of what breaks one.
        """
        table = {name: flat(rows[name]) for name in rows.schema.names}

        def concerned(rule: Rule) -> np.ndarray:
            return np.any([missing[name] for name in rule.columns], axis=0)

        broken, far = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
        for rule, breaks in self.codec.rules.broken(table):
            broken |= breaks & concerned(rule)
        for rule in self.codec.rules.kept:
            if is_near(rule):
                drawn_from = concerned(rule) & ~missing[rule.target]
                far |= drawn_from & (rule.agrees(table) == 0)
        return _BROKEN * broken + far


@dataclass(frozen=True, slots=True)
class _Asked:
    """What all attempts at rows share."""

    seed: int
    start: int
    whole: frozenset[str]
    """Columns that are drawn whole."""
