"""Columns that are missing together, where another is, or where another has certain values.

Shapes: B rows, C columns that are missing somewhere.
"""

from collections.abc import Collection, Sequence

import numpy as np

from gtcoder.rules.find.dependent import EXPECTED, coarsest_first
from gtcoder.rules.find.seen import Seen
from gtcoder.rules.rule import Missing
from gtcoder.rules.together import Together
from gtcoder.schema.kind import CATEGORIES, Kind
from gtcoder.table.lookup import as_lookup, to_plain

_MOST_VALUES = 50


def missing(
    seen: Seen, given: Collection[str], groups: Sequence[Together]
) -> tuple[list[Missing], list[Together]]:
    """Where columns are missing because others are, or because of what others say.

    Args:
        seen: what is seen of the table.
        given: columns that formulas give; they are missing where their inputs are.
        groups: columns that are kept together, and so are missing together.

    Returns:
        The rules, and the groups, wider where a group's column is missing with another group's or
        by what a column outside it says.
    """
    gone = {name: seen.missing(name) for name in seen.learned}
    names = [name for name in gone if 0 < gone[name].sum() < seen.rows]
    if not names:
        return [], list(groups)
    bound = {name for group in groups for name in group.columns}
    names = sorted(names, key=lambda name: (name not in bound, name in given))
    implies = _implies(np.stack([gone[name] for name in names], 1), seen.rows)
    same = implies & implies.T
    rules: list[Missing] = []
    firsts: list[int] = []
    for at, name in enumerate(names):
        earlier = [other for other in firsts if same[other, at]]
        if not earlier:
            firsts.append(at)
        elif name in bound:
            groups = _joined(groups, name, names[earlier[0]])
        else:
            rules.append(Missing(name, names[earlier[0]], exactly=True))
    for target in firsts:
        sources = [s for s in firsts if implies[s, target]]
        nearest = [s for s in sources if not any(implies[s, other] for other in sources)]
        rules += [Missing(names[target], names[s]) for s in nearest]
        by_value = _by_value(seen, names[target], gone[names[target]])
        if by_value is not None and names[target] in bound:
            groups = _joined(groups, names[target], by_value.source)
        elif by_value is not None:
            rules.append(by_value)
    return rules, [Together(coarsest_first(seen, g.columns), flags=g.flags) for g in groups]


def _implies(gone: np.ndarray, rows: int) -> np.ndarray:
    """Whether column j is missing wherever column i is, and that is no chance, bool (C, C)."""
    count = gone.sum(0).astype(np.float64)
    apart = gone.T.astype(np.float64) @ ~gone  # (C, C): i missing, j not
    expected = np.outer(count, 1 - count / rows)
    implies = (apart == 0) & (expected >= EXPECTED)
    np.fill_diagonal(implies, False)
    return np.asarray(implies)


def _joined(groups: Sequence[Together], name: str, other: str) -> list[Together]:
    """The groups with that of a column widened by another column, or by that one's group."""
    mine = next(group for group in groups if name in group.columns)
    theirs = next((group for group in groups if other in group.columns), Together((other,)))
    if mine is theirs:
        return list(groups)
    both = Together((*mine.columns, *theirs.columns))
    return [both, *(group for group in groups if group is not mine and group is not theirs)]


def _by_value(seen: Seen, target: str, gone: np.ndarray) -> Missing | None:
    """The column of fewest values that says exactly where another is missing."""
    share = gone.mean()
    if min(share, 1 - share) * seen.rows < EXPECTED:
        return None
    sources = [n for n in seen.learned if n != target and _tells(seen, n)]
    for source in sorted(sources, key=lambda name: len(seen.codes[name][1])):
        codes, counts = seen.codes[source]
        with_it = np.bincount(codes, gone, len(counts))
        if ((with_it == 0) | (with_it == counts)).all() and not seen.missing(source).any():
            looked_up = as_lookup(seen.arrays[source], seen.arrays[source].type)
            words = looked_up.dictionary_encode(null_encoding="encode")
            chosen = words.dictionary.filter(with_it > 0)
            return Missing(target, source, tuple(sorted(to_plain(chosen))), exactly=True)
    return None


def _tells(seen: Seen, name: str) -> bool:
    kinds = CATEGORIES | {Kind.INTEGER}
    return seen.schema[name].kind in kinds and len(seen.codes[name][1]) <= _MOST_VALUES
