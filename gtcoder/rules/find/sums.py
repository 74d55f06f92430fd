"""Copies, affine relations, sums, products and ratios among columns of numbers.

Shapes: B rows, C columns of numbers, P probed rows.
"""

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from gtcoder.rules.arithmetic import SPANS, Linear, Product, Ratio
from gtcoder.rules.find.seen import Seen
from gtcoder.rules.formula import Copy, Formula
from gtcoder.rules.rule import Derived

_ALIKE = 0.9999
"""Correlation from which on an affine relation is tried."""
_DIGITS = 9
_SECOND = 10**9


def copies(seen: Seen) -> Iterator[Derived]:
    """Columns with the values of an earlier one, whatever they are."""
    first: dict[bytes, str] = {}
    for name, (codes, counts) in seen.codes.items():
        if len(counts) < 2:
            continue
        key = codes.tobytes()
        earlier = first.setdefault(key, name)
        bits = -math.log2(float(((counts / counts.sum()) ** 2).sum()) + 1e-12) * len(codes)
        if earlier == name or bits < 64:
            continue
        rule = Derived(name, Copy(earlier))
        if seen.schema[name].type.equals(seen.schema[earlier].type) and _holds(seen, rule):
            yield rule


def affine(seen: Seen) -> Iterator[Derived]:
    """y = a · x + b, with the simplest a and b that do."""
    matrix, names = seen.matrix, seen.numbers
    known = ~np.isnan(matrix)
    largest = np.abs(np.where(known, matrix, 0.0)).max(0, initial=1e-300)
    scaled = matrix / largest  # squares of the largest numbers would overflow
    centred = np.where(known, scaled - _mean(scaled), 0.0)
    size = np.sqrt((centred**2).sum(0))
    alike = np.abs(centred.T @ centred) > _ALIKE * np.outer(size, size)
    for i, j in zip(*np.nonzero(np.triu(alike, 1)), strict=True):
        one, other = names[i], names[j]
        if seen.role(one) != seen.role(other):
            continue
        rules = (_affine(seen, target, source) for target, source in ((other, one), (one, other)))
        rule = next((rule for rule in rules if rule is not None), None)
        if rule is not None:
            yield rule


def _affine(seen: Seen, target: str, source: str) -> Derived | None:
    at = [seen.numbers.index(source), seen.numbers.index(target)]
    x, y = seen.matrix[~np.isnan(seen.matrix[:, at]).any(1)][:, at].T
    if len(x) < 3 or np.ptp(x) == 0:
        return None
    if seen.role(target) != "number":
        shift = seen.values[target].numbers - seen.values[source].numbers
        both = seen.values[target].known & seen.values[source].known
        constant = int(shift[both][0])
        return seen.convincing(target, Linear(((1, source),), constant))
    slope = np.polyfit(x - x.mean(), y, 1)[0]
    for digits in range(1, _DIGITS + 1):
        factor = float(f"{slope:.{digits}g}")
        if factor == 0:
            continue
        left = y - factor * x
        middle = (left.max() + left.min()) / 2
        for decimals in range(_DIGITS):
            constant = round(middle, decimals) + 0.0
            rule = seen.convincing(target, Linear(((factor, source),), constant))
            if rule is not None:
                return rule
            if np.ptp(left) > 2.0 * _grain(seen, target):
                break
    return None


def sums(seen: Seen) -> Iterator[Derived]:
    """One column is the sum of two: of numbers, of spans, of a moment and a span or a count."""
    matrix, roles = seen.matrix, [seen.role(name) for name in seen.numbers]
    items = [(name, 1.0, role) for name, role in zip(seen.numbers, roles, strict=True)]
    columns = [matrix]
    if roles.count("moment") > 1:
        counts = [at for at, role in enumerate(roles) if role == "number"]
        for length in SPANS.values():
            items += [(seen.numbers[at], length, "count") for at in counts]
            columns.append(matrix[:, counts] * (length / _SECOND))
    terms = np.concatenate(columns, 1)
    for target, role in enumerate(roles):
        pairs = _pairs_that_add_up(seen, target, terms)
        for i, j in pairs:
            kinds = {items[i][2], items[j][2]}
            if target in (i, j) or items[i][0] == items[j][0] or not _adds_up(role, kinds):
                continue
            relation = [(items[i][1], items[i][0]), (items[j][1], items[j][0])]
            yield from _solved(seen, seen.numbers[target], relation)


def _pairs_that_add_up(seen: Seen, target: int, terms: np.ndarray) -> list[tuple[int, int]]:
    column = terms[:, target]
    rows = seen.probes(~np.isnan(column), target)
    slack = _grain(seen, seen.numbers[target]) + 1e-9 * np.abs(column[rows]).max(initial=0)
    fits: np.ndarray | None = None
    for row in rows:
        need = column[row] - terms[row]
        close = np.abs(need[:, None] - terms[row][None]) <= slack
        fits = close if fits is None else fits & close
    if fits is None:
        return []
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(fits, 1)), strict=True)]


def _adds_up(role: str, kinds: set[str]) -> bool:
    """Whether columns that hold such things can add up to one that holds this."""
    if role == "moment":
        return kinds in ({"moment", "span"}, {"moment", "count"})
    return kinds == {role} and role in ("number", "span")


def _solved(seen: Seen, total: str, parts: list[tuple[float, str]]) -> Iterator[Derived]:
    """A sum solved for the column of the largest spread, where an error of others shows least."""
    ways: list[tuple[float, int, str, Formula]] = []
    places = {name: at for at, name in enumerate(seen.numbers)}
    factors = [(_own(seen, total, factor), name) for factor, name in parts]
    ways.append((seen.spread(total), places[total], total, Linear(tuple(factors))))
    for at, (factor, name) in enumerate(factors):
        if factor == 1:
            left = ((1.0, total), *((-f, n) for f, n in factors[:at] + factors[at + 1 :]))
            ways.append((seen.spread(name), places[name], name, Linear(left)))
    for _, _, target, formula in sorted(ways, key=lambda way: (-_rounded(way[0]), -way[1])):
        rule = seen.convincing(target, formula)
        if rule is not None:
            yield rule
            return


def _own(seen: Seen, total: str, factor: float) -> float:
    return factor if seen.role(total) == "moment" else 1.0


def _rounded(spread: float) -> float:
    return float(f"{spread:.2g}")


def longer_sums(seen: Seen) -> Iterator[Derived]:
    """One column is the sum of three, or two are of two others, among those never missing.

    Random combinations of rows keep every such relation, and hardly ever show another.
    """
    matrix, names = seen.matrix, seen.numbers
    usable = [
        at
        for at, name in enumerate(names)
        if seen.role(name) == "number"
        and not np.isnan(matrix[:, at]).any()
        and len(seen.codes[name][1]) > 2
    ]
    if len(usable) < 4 or len(matrix) < 16:
        return
    weights = np.random.default_rng(0).normal(size=len(matrix))
    totals = weights @ matrix[:, usable]
    slack = 1e-10 * (np.abs(weights) @ np.abs(matrix[:, usable])).max()
    pairs = np.array(list(combinations(range(len(usable)), 2)))
    added = totals[pairs].sum(1)
    order = np.argsort(added, kind="stable")
    added, pairs = added[order], pairs[order]
    apart = np.diff(added) <= slack
    for at in np.flatnonzero(apart):
        four = {*pairs[at], *pairs[at + 1]}
        if len(four) == 4:
            left, right = ([names[usable[i]] for i in pairs[k]] for k in (at, at + 1))
            parts = [(1.0, right[0]), (1.0, right[1]), (-1.0, left[1])]
            yield from _solved(seen, left[0], parts)
    for y in range(len(usable)):
        for a in range(len(usable)):
            need = totals[y] - totals[a]
            first, last = np.searchsorted(added, [need - slack, need + slack])
            for b, c in pairs[first:last]:
                if a < b and len({y, a, int(b), int(c)}) == 4:
                    parts = [(1.0, names[usable[i]]) for i in (a, b, c)]
                    yield from _solved(seen, names[usable[y]], parts)


def products(seen: Seen) -> Iterator[Derived]:
    """y = a · b of numbers, and y = a / b where that is not the same said in another way."""
    names = [name for name in seen.numbers if seen.role(name) == "number"]
    matrix = seen.matrix[:, [seen.numbers.index(name) for name in names]]
    told: set[frozenset[str]] = set()
    for formula in (Product, Ratio):
        for target, name in enumerate(names):
            for i, j in _pairs_that_give(seen, name, matrix, target, formula):
                members = frozenset((name, names[i], names[j]))
                rule = None
                if len(members) == 3 and members not in told:
                    rule = seen.convincing(name, formula(names[i], names[j]))
                if rule is not None:
                    told.add(members)
                    yield rule


def _pairs_that_give(
    seen: Seen, name: str, matrix: np.ndarray, target: int, formula: type[Product | Ratio]
) -> Iterator[tuple[int, int]]:
    """Pairs of columns whose product, or ratio, is that of a column in a few rows."""
    column = matrix[:, target]
    fits: np.ndarray | None = None
    for row in seen.probes(~np.isnan(column) & (column != 0), target):
        each = matrix[row]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.outer(each, each) if formula is Product else each[:, None] / each[None]
            close = np.abs(found - column[row]) <= _grain(seen, name) + 1e-9 * abs(column[row])
        fits = close if fits is None else fits & close
    if fits is not None:
        pairs = np.triu(fits, 1) if formula is Product else fits
        yield from ((int(i), int(j)) for i, j in zip(*np.nonzero(pairs), strict=True))


def _holds(seen: Seen, rule: Derived) -> bool:
    return not (rule.agrees(seen.arrays) == 0).any()


def _grain(seen: Seen, name: str) -> float:
    """How far a column's values may be from what they are rounded from."""
    decimals = seen.decimals(name)
    if seen.role(name) != "number":
        return 1e-6
    return 1e-12 if decimals is None else 0.5 * 10.0**-decimals * (1 + 1e-6)


def _mean(matrix: np.ndarray) -> np.ndarray:
    known = ~np.isnan(matrix)
    return np.asarray(np.where(known, matrix, 0).sum(0) / np.maximum(known.sum(0), 1))
