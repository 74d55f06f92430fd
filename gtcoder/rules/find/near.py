"""Columns of numbers that others nearly give: a sum, or a product of powers, and a small residual.

Shapes: B rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.types as pt

from gtcoder.errors import SchemaError
from gtcoder.rules.arithmetic import Linear, Power, Product, Ratio
from gtcoder.rules.find.pursuit import pursued
from gtcoder.rules.find.seen import Seen
from gtcoder.rules.gap import Near, residual_name
from gtcoder.rules.rule import Derived
from gtcoder.schema.kind import CATEGORIES
from gtcoder.sketch.support import natural_grid
from gtcoder.table.types import is_whole

LEAST_WRITTEN, FEWEST_WRITTEN = 1.0, 30
"""What a rule that was written by hand has to save, bits, and rows that have to show it."""
LEAST_BITS = 4.0
"""A residual is learned where it has so many bits less than the column: a 16th of its width."""
FEWEST_ROWS = 100
"""Of which all columns are known."""
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
"""Of numbers whose sums of squares are finite."""
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
    names = [n for n in seen.numbers if n not in given and _is_number(seen, n)]
    left = {n: _Number.of(seen, n) for n in names}
    left = {n: x for n, x in left.items() if x.bits >= LEAST_BITS and x.largest < _LARGEST}
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
        base: Linear | Power
        match rule.formula:
            case Linear():
                base = rule.formula
            case Product(one, other):
                base = Power(((1, one), (1, other)))
            case Ratio(one, other):
                base = Power(((1, one), (-1, other)))
            case _:
                continue
        if all(_is_number(seen, name) for name in rule.columns):
            number = _Number.of(seen, rule.target)
            if number.saved(number.near(base)) >= LEAST_BITS:
                yield number.rule(base)


def written(seen: Seen, rule: Derived) -> Derived:
    """A rule that was written by hand, with the grid of its column, and how near most rows are.

    Raises:
        SchemaError: one of its columns is none of numbers, or it tells next to nothing.
    """
    assert isinstance(rule.formula, Near)
    for name in rule.columns:
        if not _is_number(seen, name):
            raise SchemaError(
                f"rule {str(rule)!r}: expected numbers that vary on both sides of ~; {name!r} is "
                f"{seen.schema[name].kind}; leave it out"
            )
    number, base = _Number.of(seen, rule.target), rule.formula.base
    if (bits := number.saved(number.near(base))) < LEAST_WRITTEN:
        raise SchemaError(
            f"rule {str(rule)!r}: what it leaves varies about as much as {rule.target!r} itself "
            f"({max(bits, 0):.1f} bits less, expected {LEAST_WRITTEN:g}); mend it or leave it out"
        )
    return number.rule(base)


def _is_number(seen: Seen, name: str) -> bool:
    """Whether a column can stand in such a rule."""
    if name not in seen.numbers or seen.role(name) != "number":
        return False
    column = seen.schema[name]
    long = pt.is_decimal(column.type) and not is_whole(column.type)
    return column.kind not in CATEGORIES and not long


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
        step, anchor = natural_grid(seen.sketch.columns[name]) or (None, 0.0)
        known = values[~np.isnan(values)]
        wide = np.subtract(*np.quantile(known, [0.95, 0.05])) if len(known) else 0.0
        return cls(seen, name, values, step, anchor, max(step or 0.0, float(wide) / _FINE))

    def near(self, base: Linear | Power) -> Near:
        """The column as nearly a formula, on its grid."""
        gap = residual_name(self.name, self.seen.schema.names)
        return Near(base, gap, self.step, self.anchor)

    def rule(self, base: Linear | Power) -> Derived:
        """The same as a rule, with how near most rows are."""
        formula = self.near(base)
        off = np.abs(self.off(formula))
        off = off[~np.isnan(off)]
        within = float(np.quantile(off, _WITHIN)) if len(off) else 0.0
        within = max(within, 0.5 * (self.step or 0.0), _SAME * self.largest)
        formula = replace(formula, within=float(f"{within:.6g}"))
        return Derived(self.name, formula, self.seen.decimals(self.name))

    def saved(self, formula: Near) -> float:
        """How many bits less a residual has than the column; 0 where too few rows have both."""
        off = self.off(formula)
        known = ~np.isnan(off)
        if known.sum() < FEWEST_WRITTEN:
            return 0.0
        return self.bits_of(self.values[known]) - self.bits_of(off)

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
    def largest(self) -> float:
        """The largest size of its values."""
        return float(np.nanmax(np.abs(self.values), initial=0.0))

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
    """The bits that the best rule of a column saves, and the rule; none that saves enough.

    It is fitted on every second row, and judged by the others.
    """
    fitted = [_fitted(target, others, logarithms=each) for each in (False, True)]
    least = min(
        (each for each in fitted if each is not None), key=lambda each: each[0], default=None
    )
    if least is None:
        return None
    saved = target.bits_of(target.values[1::2]) - least[0]
    return None if saved < LEAST_BITS else (saved, target.rule(least[1]))


def _fitted(
    target: _Number, others: Sequence[_Number], *, logarithms: bool
) -> tuple[float, Linear | Power] | None:
    """The bits of what the best sum, or product of powers, of a few columns leaves, and it."""
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
    chosen, weights = pursued(
        columns[:, 0], columns[:, 1:], grain=float(grain), least_bits=LEAST_BITS
    )
    if not chosen:
        return None
    names, best = [usable[at].name for at in chosen], None
    for digits in _DIGITS:  # as simple as it can be written
        rounded = np.array([float(f"{w:.{digits}g}") for w in weights])
        middle = float(np.median(columns[:, 0] - columns[:, 1:][:, chosen] @ rounded))
        if not logarithms and abs(middle) < target.grain / 2:
            middle = 0.0
        terms = tuple(zip(rounded.tolist(), names, strict=True))
        constant = float(f"{np.exp(middle) if logarithms else middle:.6g}")
        base = Power(terms, constant) if logarithms else Linear(terms, constant)
        bits = target.bits_of(target.off(target.near(base))[1::2])
        if best is None or bits < best[0] - 0.02:
            best = bits, base
    return best


def _logarithms(values: np.ndarray) -> np.ndarray:
    """Natural logarithms; NaN of what is not above 0."""
    return np.log(np.where(values > 0, values, np.nan))
