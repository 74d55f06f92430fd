"""Columns that determine others, and flags of which exactly one is set.

Shapes: B rows, C columns.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pyarrow.types as pt

from gtcoder.rules.find.seen import Seen
from gtcoder.rules.formula import Bins
from gtcoder.rules.rule import Derived
from gtcoder.rules.together import Together
from gtcoder.schema.kind import CATEGORIES

EXPECTED = 30.0
"""So many pairs of neighbours would differ if columns had nothing to do with one another."""
NEARLY = 0.02
"""Of those, the share that may differ all the same."""
MOST_PAIRED = 40
"""Columns of few values of which pairs are tried."""
MOST_VALUES = 256
"""Numbers of more values are not taken as codes."""
_MOST_LABELS = 64
_FEWEST_OF_LABEL = 20


def bins(seen: Seen, given: Collection[str]) -> Iterator[Derived]:
    """A column of a few labels that are stretches of a column of numbers; not of those given."""
    labels = [n for n in seen.learned if 2 <= len(seen.codes[n][1]) <= _MOST_LABELS]
    labels = [name for name in labels if name not in given]
    for source in seen.numbers:
        values = seen.values[source]
        if len(seen.codes[source][1]) < 20:
            continue
        rows = np.flatnonzero(values.known)
        rows = rows[np.argsort(values.numbers[rows], kind="stable")]
        for target in labels:
            if target != source:
                yield from _binned(seen, target, source, rows)


def _binned(seen: Seen, target: str, source: str, rows: np.ndarray) -> Iterator[Derived]:
    codes, counts = seen.codes[target]
    if seen.missing(target).any() or counts.min() < _FEWEST_OF_LABEL:
        return
    mine, numbers = codes[rows], seen.values[source].numbers[rows]
    changes = np.flatnonzero(mine[1:] != mine[:-1])
    if len(changes) != len(counts) - 1:
        return
    found = [_simplest(numbers[at], numbers[at + 1]) for at in changes]
    edges = [edge for edge in found if edge is not None]
    if len(edges) < len(found):
        return
    firsts = rows[np.concatenate([[0], changes + 1])]
    labels = [seen.arrays[target][int(at)].as_py() for at in firsts]
    kind = seen.schema[target].type
    plain = pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind)
    if not (plain or all(isinstance(label, str) for label in labels)):
        return
    rule = Derived(target, Bins(source, tuple(edges), tuple(labels)), seen.decimals(target))
    if seen.convinces(rule):
        yield rule


def _simplest(low: float, high: float) -> float | None:
    """The number of the fewest digits that is above `low` and at most `high`."""
    if not low < high:
        return None
    for decimals in range(-18, 12):
        unit = 10.0**-decimals
        edge = np.floor(high / unit) * unit
        if low < edge <= high:
            return float(f"{edge:.15g}")
    return float(high)


def dependent(
    seen: Seen, given: Collection[str], flagged: Sequence[Together]
) -> Iterator[Together]:
    """Columns to keep together: each with those that it determines, alone or with another.

    Args:
        seen: what is seen of the table.
        given: columns that formulas give.
        flagged: flags of which exactly one is set: each group counts as one column.
    """
    apart = {*given, *(name for group in flagged for name in group.columns)}
    units = {n: seen.codes[n][0] for n in seen.learned if n not in apart and _recurs(seen, n)}
    units |= {group.name: _which(seen, group) for group in flagged}
    members = {name: (name,) for name in units} | {g.name: g.columns for g in flagged}
    if not units:
        return
    table = _Units(units, {name: seen.missing(members[name][0]) for name in units})
    found = _by_one(seen, table)
    groups = list(_trees(table, found))
    groups += _by_two(seen, table, found, {name for group in groups for name in group})
    told = {name for group in groups for name in group}
    for group in groups:
        columns = [column for name in group for column in members[name]]
        yield Together(coarsest_first(seen, columns))
    yield from (group for group in flagged if group.name not in told)


@dataclass(frozen=True)
class _Units:
    """Columns, and groups of flags as one: the codes of each (B,), and where it is missing (B,)."""

    codes: Mapping[str, np.ndarray]
    missing: Mapping[str, np.ndarray]

    @cached_property
    def names(self) -> list[str]:
        return list(self.codes)

    @cached_property
    def matrix(self) -> np.ndarray:
        return np.stack([*self.codes.values()], 1)  # (B, C)

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        return {name: int(codes.max()) + 1 for name, codes in self.codes.items()}


def _which(seen: Seen, group: Together) -> np.ndarray:
    return np.argmax(np.stack([_set(seen, name) for name in group.columns], 1), 1).astype(np.int32)


def _recurs(seen: Seen, name: str) -> bool:
    """Whether a column's values may stand in combinations: they recur."""
    counts = seen.codes[name][1]
    if len(counts) < 2:
        return False
    if seen.schema[name].kind in CATEGORIES:
        return True
    return bool(counts[counts > 1].sum() >= 0.5 * seen.rows)


def _may_determine(seen: Seen, name: str) -> bool:
    """Whether nothing is lost where a column is a code: it is one already."""
    if name not in seen.schema.names or seen.schema[name].kind in CATEGORIES:
        return True
    return seen.sketch.columns[name].distinct <= MOST_VALUES


def _by_one(seen: Seen, table: _Units) -> dict[str, list[str]]:
    """The columns that determine each, the best first: exactly, then those of fewest values."""
    found: dict[str, list[tuple[bool, int, int]]] = {}
    names, matrix = table.names, table.matrix
    for at, source in enumerate(names):
        if not _may_determine(seen, source):
            continue
        keys, size = matrix[:, at], table.sizes[source]
        rows = np.flatnonzero(~table.missing[source])
        order = rows[np.argsort(keys[rows], kind="stable")]
        differ, expected = _neighbours(matrix, order, keys[order])
        nearly = (expected >= EXPECTED) & (differ <= NEARLY * expected)
        for target in np.flatnonzero(nearly):
            if target != at and table.sizes[names[target]] <= size:
                exact = differ[target] == 0
                found.setdefault(names[target], []).append((not exact, size, at))
    return {target: [names[at] for _, _, at in sorted(each)] for target, each in found.items()}


def _neighbours(
    matrix: np.ndarray, order: np.ndarray, keys: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of rows next to one another that share a key, how many differ in each column (C,).

    And how many would if they did not share it, (C,).
    """
    same = np.flatnonzero(keys[1:] == keys[:-1])
    ordered = matrix[order]
    differ = (ordered[same] != ordered[same + 1]).sum(0)
    others = np.roll(ordered, len(ordered) // 2 + 1, axis=0)
    return differ, len(same) * (ordered != others).mean(0) if len(ordered) else differ


def _trees(table: _Units, found: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Groups of columns in which one determines all others, directly or not."""
    place, sizes = {name: at for at, name in enumerate(table.names)}, table.sizes
    parent: dict[str, str] = {}
    for target, sources in found.items():
        # Of two that determine each other, the first stands for both.
        above = [s for s in sources if (sizes[s], -place[s]) > (sizes[target], -place[target])]
        if above:
            parent[target] = above[0]
    groups: dict[str, list[str]] = {}
    for name in parent:
        root = name
        while root in parent:
            root = parent[root]
        groups.setdefault(root, [root]).append(name)
    yield from groups.values()


def coarsest_first(seen: Seen, names: Sequence[str]) -> tuple[str, ...]:
    """Columns by how many values they have, then in the table's order."""
    order = {name: at for at, name in enumerate(seen.schema.names)}
    sizes = {name: seen.sketch.columns[name].distinct for name in names}
    return tuple(sorted(names, key=lambda name: (sizes[name], order[name])))


def _by_two(
    seen: Seen, table: _Units, found: Mapping[str, Sequence[str]], taken: set[str]
) -> Iterator[list[str]]:
    """Pairs of columns that determine others which neither determines alone."""
    names, sizes = table.names, table.sizes
    few = [n for n in names if sizes[n] <= max(seen.rows // 20, 2) and _may_determine(seen, n)]
    few = sorted(few, key=lambda name: sizes[name])[:MOST_PAIRED]
    done = set(taken)
    for one, other in combinations(few, 2):
        if {one, other} & done:
            continue
        keys = table.codes[one].astype(np.int64) * sizes[other] + table.codes[other]
        distinct = len(np.unique(keys))
        if max(sizes[one], sizes[other]) >= 0.9 * distinct:
            continue  # one of them tells as much alone
        known = np.flatnonzero(~table.missing[one] & ~table.missing[other])
        order = known[np.argsort(keys[known], kind="stable")]
        differ, expected = _neighbours(table.matrix, order, keys[order])
        exact = (differ <= NEARLY / 2 * expected) & (expected >= EXPECTED)
        members = [
            name
            for name in (names[at] for at in np.flatnonzero(exact))
            if name not in {one, other, *done}
            and not {one, other} & {*found.get(name, ())}
            and name not in {*found.get(one, ()), *found.get(other, ())}
        ]
        if members:
            done |= {one, other, *members}
            yield [one, other, *members]


def flags(seen: Seen) -> Iterator[Together]:
    """Three columns or more of which exactly one is set in every row."""
    names = [name for name in seen.learned if _is_flag(seen, name)]
    if len(names) < 3:
        return
    matrix = np.stack([_set(seen, name) for name in names], 1)
    together = matrix.T.astype(np.int64) @ matrix
    left = list(range(len(names)))
    while left:
        group = [left[0]]
        for at in left[1:]:
            if not together[at, group].any():
                group.append(at)
        if len(group) >= 3 and (matrix[:, group].sum(1) == 1).all():
            members = [names[at] for at in group]
            if seen.rows >= 10 * len(group):
                yield Together(tuple(members), flags=True)
        left = [at for at in left if at not in group] if len(group) >= 3 else left[1:]


def _is_flag(seen: Seen, name: str) -> bool:
    kind = seen.schema[name].type
    if seen.missing(name).any() or len(seen.codes[name][1]) != 2:
        return False
    if pt.is_boolean(kind):
        return True
    if not (pt.is_integer(kind) or pt.is_floating(kind)) or name not in seen.values:
        return False
    return set(np.unique(seen.values[name].numbers).tolist()) == {0, 1}


def _set(seen: Seen, name: str) -> np.ndarray:
    array = seen.arrays[name]
    numbers = array.cast("int8") if pt.is_boolean(array.type) else array
    return np.asarray(numbers.to_numpy(zero_copy_only=False) == 1)
