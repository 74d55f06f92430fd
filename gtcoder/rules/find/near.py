"""Columns of numbers that others nearly give: a sum, or a product of powers, and a small residual.

Shapes: B rows, C columns of numbers, T terms.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.types as pt

from gtcoder.errors import SchemaError
from gtcoder.rules.arithmetic import Linear, Power, Product, Ratio
from gtcoder.rules.find.seen import Seen
from gtcoder.rules.gap import Near, residual_name
from gtcoder.rules.rule import Derived
from gtcoder.schema.kind import CATEGORIES
from gtcoder.table.types import is_whole

LEAST_WRITTEN, FEWEST_WRITTEN = 1.0, 30
"""What a rule that was written by hand has to save, bits, and rows that have to show it."""
LEAST_BITS = 4.0
"""A residual is learned where it has so many bits less than the column: a 16th of its width."""
MOST_TERMS = 5
FEWEST_ROWS = 100
"""Of which all columns are known."""
_POOL = 8
"""Columns that are tried together before the dispensable ones are dropped."""
_HARDLY = 0.1
"""A term is dropped where that costs fewer bits."""
_TRIM = 4.0
"""Rows that are off by more than so many deviations are not fitted."""
_TRIMMINGS = 3
_RIDGE = 1e-12
_UNEXPLAINED = 0.3
"""Columns of which all others leave more, of their deviation, are not looked at."""
_ROBUST = 3.0
"""Deviations that count, where a few rows may be far off."""
_FINE = 1_024
"""Parts of a column's width that are told apart where it has no coarser grid."""
_POSITIVE = 0.99
"""Of the values of a column that can be a factor."""
_DIGITS = range(1, 7)
_WITHIN = 0.95
_LARGEST = 1e100
_SAME = 1e-9
"""Of the largest: numbers that differ by less are the same."""
FITTED_CELLS, FEWEST_FITTED = 1 << 19, 2_048
"""Values that are looked at, about: more rows of a narrow table, and so many of any."""


def near(seen: Seen, given: set[str]) -> Iterator[Derived]:
    """The columns that those left over nearly give, the one that tells most first.

    Args:
        seen: the sampled rows.
        given: columns that formulas give exactly.
    """
    names = [n for n in seen.numbers if n not in given and _is_number(seen)(n)]
    left = {n: _Number.of(seen, n) for n in names}
    left = {n: x for n, x in left.items() if x.bits >= LEAST_BITS and x.is_moderate}
    found: dict[str, tuple[float, Derived]] = {}
    stale = _explained(list(left.values()))
    while stale:
        for name in stale:
            best = _best(left[name], [other for n, other in left.items() if n != name])
            if best is not None:
                found[name] = best
        if not found:
            return
        name = max(found, key=lambda each: found[each][0])
        _, rule = found.pop(name)
        del left[name]
        yield rule
        stale = [n for n, (_, other) in found.items() if name in other.columns]
        found = {n: each for n, each in found.items() if n not in stale}


def nearly(seen: Seen, rules: Iterable[Derived]) -> Iterator[Derived]:
    """Formulas of sampled rows as what most rows nearly keep, should some row break them."""
    for rule in rules:
        if rule.target not in seen.numbers or seen.role(rule.target) != "number":
            continue
        match rule.formula:
            case Linear() as base:
                found = _near(seen, rule.target, base)
            case Product(one, other):
                found = _near(seen, rule.target, Power(((1, one), (1, other))))
            case Ratio(one, other):
                found = _near(seen, rule.target, Power(((1, one), (-1, other))))
            case _:
                continue
        if all(map(_is_number(seen), found.columns)) and saved(seen, found) >= LEAST_BITS:
            yield found


def written(seen: Seen, rule: Derived) -> Derived:
    """A rule that was written by hand, with what is seen of it.

    Raises:
        SchemaError: one of its columns is none of numbers, or it tells next to nothing.
    """
    for name in rule.columns:
        if not _is_number(seen)(name):
            raise SchemaError(
                f"rule {str(rule)!r}: expected numbers that vary on both sides of ~; {name!r} is "
                f"{seen.schema[name].kind}; leave it out"
            )
    if (bits := saved(seen, rule)) < LEAST_WRITTEN:
        raise SchemaError(
            f"rule {str(rule)!r}: what it leaves varies about as much as {rule.target!r} itself "
            f"({max(bits, 0):.1f} bits less, expected {LEAST_WRITTEN:g}); mend it or leave it out"
        )
    return measured(seen, rule)


def saved(seen: Seen, rule: Derived) -> float:
    """How many bits less a residual has than its column; 0 where too few rows have both."""
    number, formula = _Number.of(seen, rule.target), rule.formula
    assert isinstance(formula, Near)
    formula = replace(formula, step=number.step, anchor=number.anchor)
    off = number.off(formula)
    known = ~np.isnan(off)
    if known.sum() < FEWEST_WRITTEN:
        return 0.0
    return number.bits_of(number.values[known]) - number.bits_of(off)


def _is_number(seen: Seen) -> Callable[[str], bool]:
    """Whether a column can stand in such a rule."""
    return lambda name: (
        name in seen.numbers
        and seen.role(name) == "number"
        and seen.schema[name].kind not in CATEGORIES
        and (not pt.is_decimal(kind := seen.schema[name].type) or is_whole(kind))
    )


def measured(seen: Seen, rule: Derived) -> Derived:
    """A rule with the grid of its column, and how near most rows are."""
    number = _Number.of(seen, rule.target)
    assert isinstance(rule.formula, Near)
    formula = replace(rule.formula, step=number.step, anchor=number.anchor)
    off = np.abs(number.off(formula))
    off = off[~np.isnan(off)]
    within = float(np.quantile(off, _WITHIN)) if len(off) else 0.0
    largest = float(np.nanmax(np.abs(number.values), initial=0.0))
    within = max(within, 0.5 * (number.step or 0.0), _SAME * largest)
    return replace(rule, formula=replace(formula, within=float(f"{within:.6g}")))


@dataclass(frozen=True, slots=True)
class _Number:
    """A column as it is fitted."""

    seen: Seen
    name: str
    values: np.ndarray
    """float64 (B,), NaN where unknown."""
    step: float | None
    """Of its grid, if it has one."""
    anchor: float
    grain: float
    """What is told apart."""

    @classmethod
    def of(cls, seen: Seen, name: str) -> "_Number":
        rows = max(FEWEST_FITTED, FITTED_CELLS // len(seen.numbers))
        values = seen.matrix[:rows, seen.numbers.index(name)]
        numbers, decimals = seen.sketch.columns[name].numbers, seen.decimals(name)
        step, anchor = None, 0.0
        if numbers is not None and decimals is not None and numbers.lattice.anchor is not None:
            unit = 10.0**-decimals
            ticks = max(numbers.lattice.step, 1)
            step, anchor = ticks * unit, numbers.lattice.anchor % ticks * unit
        known = values[~np.isnan(values)]
        wide = np.subtract(*np.quantile(known, [0.95, 0.05])) if len(known) else 0.0
        return cls(seen, name, values, step, anchor, max(step or 0.0, float(wide) / _FINE))

    def off(self, formula: Near) -> np.ndarray:
        """How far values are from what nearly gives them, NaN where that is unknown, (B,)."""
        rows = len(self.values)
        start = formula.start({n: self.seen.arrays[n][:rows] for n in formula.beside})
        return np.where(start.known, self.values - start.numbers, np.nan)

    @property
    def bits(self) -> float:
        """What is told by a value of its own."""
        return self.bits_of(self.values)

    def bits_of(self, off: np.ndarray) -> float:
        """The entropy of values in grains, bits; those that are NaN do not count."""
        if not self.grain:
            return 0.0
        off = off[~np.isnan(off)]
        _, counts = np.unique(np.rint(off / self.grain), return_counts=True)
        shares = counts / max(len(off), 1)
        return float(-(shares * np.log2(shares)).sum())

    @property
    def is_moderate(self) -> bool:
        """Whether sums of its squares are finite."""
        return bool(np.nanmax(np.abs(self.values), initial=0.0) < _LARGEST)

    @property
    def factor(self) -> bool:
        """Whether it can stand in a product of powers."""
        known = self.values[~np.isnan(self.values)]
        return bool((known > 0).mean() >= _POSITIVE) if len(known) else False


def _explained(numbers: Sequence[_Number]) -> list[str]:
    """Columns of which the others may explain nearly all: in sums, or in sums of logarithms."""
    found: set[str] = set()
    for logarithms in (False, True):
        kept = [n for n in numbers if n.factor or not logarithms]
        if len(kept) < 2:
            continue
        matrix = np.stack([_scores(n, logarithms) for n in kept], 1)
        inverse = np.linalg.inv(matrix.T @ matrix / len(matrix) + 1e-6 * np.eye(len(kept)))
        unexplained = 1 / np.sqrt(np.maximum(np.diag(inverse) * (matrix**2).mean(0), 1e-12))
        few = zip(kept, unexplained, strict=True)
        found |= {n.name for n, share in few if share < _UNEXPLAINED}
    return [n.name for n in numbers if n.name in found]


def _scores(number: _Number, logarithms: bool) -> np.ndarray:
    """Values in deviations from their median, the largest clipped and the unknown 0, (B,)."""
    values = _logarithms(number.values) if logarithms else number.values
    middle = np.nanmedian(values)
    low, high = np.nanquantile(values, [0.1, 0.9])
    scores = (values - middle) / max((high - low) / 2.56, 1e-300)
    return np.nan_to_num(np.clip(scores, -_ROBUST, _ROBUST))


def _best(target: _Number, others: Sequence[_Number]) -> tuple[float, Derived] | None:
    """The rule that leaves least of a column, and the bits that it saves; none that saves enough.

    It is fitted on every second row, and judged by the others.
    """
    rules = [_fitted(target, others, logarithms=each) for each in (False, True)]
    saved = [
        (target.bits_of(target.values[1::2]) - bits, rule)
        for bits, rule in (each for each in rules if each is not None)
    ]
    best = max(saved, key=lambda each: each[0], default=None)
    return None if best is None or best[0] < LEAST_BITS else best


def _fitted(
    target: _Number, others: Sequence[_Number], *, logarithms: bool
) -> tuple[float, Derived] | None:
    """The best sum, or product of powers, of a few columns, and the bits of what it leaves."""
    usable = [n for n in others if n.factor or not logarithms]
    if not usable or (logarithms and not target.factor):
        return None
    columns = np.stack([target.values, *(n.values for n in usable)], 1)
    if logarithms:
        columns = _logarithms(columns)
    known = ~np.isnan(columns).any(1)
    if known.sum() < FEWEST_ROWS or known.mean() < 0.5:
        return None
    columns = columns[known][::2]
    middle = np.median(columns[:, 0])
    grain = target.grain / np.exp(middle) if logarithms else target.grain
    chosen, weights = _pursued(columns[:, 0], columns[:, 1:], float(grain))
    if not chosen:
        return None
    found: tuple[float, Derived] | None = None
    for digits in _DIGITS:  # as simple as it can be written
        rounded = [float(f"{w:.{digits}g}") for w in weights]
        middle = np.median(columns[:, 0] - columns[:, 1:][:, chosen] @ np.array(rounded))
        names = [usable[at].name for at in chosen]
        rule = _rule(target, names, rounded, float(middle), logarithms=logarithms)
        assert isinstance(rule.formula, Near)
        off = target.off(rule.formula)[1::2]
        bits = target.bits_of(off)
        if found is None or bits < found[0] - 0.02:
            found = bits, rule
    return found


def _rule(
    target: _Number, names: list[str], weights: list[float], middle: float, *, logarithms: bool
) -> Derived:
    if not logarithms and abs(middle) < target.grain / 2:
        middle = 0.0
    constant = float(f"{np.exp(middle) if logarithms else middle:.6g}")
    terms = tuple(zip(weights, names, strict=True))
    base = Power(terms, constant) if logarithms else Linear(terms, constant)
    return _near(target.seen, target.name, base)


def _near(seen: Seen, target: str, base: Linear | Power) -> Derived:
    rule = Derived(
        target, Near(base, residual_name(target, seen.schema.names)), seen.decimals(target)
    )
    return measured(seen, rule)


def _pursued(y: np.ndarray, columns: np.ndarray, grain: float) -> tuple[list[int], np.ndarray]:
    """Few columns of (B, C) whose weighted sum is nearly y (B,), and their weights, (T,).

    One after the other is added, each the most like what is left (orthogonal matching pursuit),
    and then those are dropped again that are missed least, while they are hardly missed.
    """

    def cost(left: np.ndarray) -> float:
        return float(np.log2(_width(left) + grain))

    chosen: list[int] = []
    left = y - np.median(y)
    centred = columns - np.median(columns, 0)
    while len(chosen) < min(_POOL, columns.shape[1]):
        kept = _nearest(left)
        parts = centred[kept]
        parts = parts - parts.mean(0)
        alike = np.abs(left[kept] @ parts) / np.sqrt((parts**2).sum(0) + 1e-300)
        alike[chosen] = 0
        chosen.append(int(alike.argmax()))
        _, left = _regressed(y, columns[:, chosen])
    if cost(left) > cost(y) - LEAST_BITS:
        return [], np.zeros(0)
    while chosen:
        least = cost(left)
        tries = []
        for at in range(len(chosen)):
            fewer = chosen[:at] + chosen[at + 1 :]
            tries.append((cost(_regressed(y, columns[:, fewer])[1]), fewer))
        dearer, fewer = min(tries, key=lambda each: each[0])
        if dearer > least + _HARDLY and len(chosen) <= MOST_TERMS:
            break
        chosen = fewer
        _, left = _regressed(y, columns[:, chosen])
    return chosen, _regressed(y, columns[:, chosen])[0]


def _regressed(y: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares without the rows that are far off: weights (T,), and what is left (B,)."""
    middle, spread = columns.mean(0), columns.std(0) + 1e-300
    matrix = np.column_stack([(columns - middle) / spread, np.ones(len(y))])
    kept = np.ones(len(y), bool)
    for _ in range(_TRIMMINGS):
        part = matrix[kept]
        gram = part.T @ part + _RIDGE * len(part) * np.eye(part.shape[1])
        solved = np.linalg.solve(gram, part.T @ y[kept])
        left = y - matrix @ solved
        kept = _nearest(left)
    return solved[:-1] / spread, left


def _nearest(left: np.ndarray) -> np.ndarray:
    """Which rows are not far off, bool (B,)."""
    off = np.abs(left - np.median(left))
    deviation = 1.4826 * np.median(off)
    return np.asarray(off <= max(_TRIM * deviation, np.quantile(off, 0.75)))


def _width(values: np.ndarray) -> float:
    return float(np.subtract(*np.quantile(values, [0.9, 0.1])))


def _logarithms(values: np.ndarray) -> np.ndarray:
    """Natural logarithms; NaN of what is not above 0."""
    return np.log(np.where(values > 0, values, np.nan))
