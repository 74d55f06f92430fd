"""Columns that are never above others.

Shapes: B rows, C columns of numbers.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gtcoder.rules.find.seen import Seen
from gtcoder.rules.gap import Above
from gtcoder.rules.rule import Derived
from gtcoder.rules.rules import gap_name

FEWEST_ROWS = 50
BROKEN_BY_CHANCE = 0.05
"""Share of rows that would break an order if columns had nothing to do with one another."""
NARROW = 0.5
"""A gap is learned if it varies by less than so much of what the column does."""
_SHIFTS = 8


def orders(seen: Seen) -> Iterator[Derived]:
    """Every column that is never below one or more others; those that another is above stand out.

    Of a chain a ≤ b ≤ c, c is above b alone.
    """
    holds = _holds(seen)
    for high in np.flatnonzero(holds.any(0)):
        lows = np.flatnonzero(holds[:, high])
        nearest = [low for low in lows if not any(holds[low, other] for other in lows)]
        names = [seen.numbers[low] for low in nearest]
        for group in [names, *([name] for name in names if len(names) > 1)]:
            if all(_is_strict(seen, low, seen.numbers[high]) for low in names):
                yield _above(seen, seen.numbers[high], group, strict=True)
            yield _above(seen, seen.numbers[high], group)


def _is_strict(seen: Seen, low: str, high: str) -> bool:
    one, other = (seen.matrix[:, seen.numbers.index(name)] for name in (low, high))
    return not (one == other).any()


def _above(seen: Seen, high: str, lows: list[str], *, strict: bool = False) -> Derived:
    decimals = [seen.decimals(name) for name in (high, *lows)]
    known = [places for places in decimals if places is not None]
    rounding = max(known) if len(known) == len(decimals) else None
    return coded(seen, Derived(high, Above(tuple(lows), gap_name(high, lows), strict), rounding))


def coded(seen: Seen, rule: Derived) -> Derived:
    """An order with its gap learned where that varies much less than the column itself.

    Elsewhere a gap would blur the column more than its being raised, which few rows then need.
    """
    formula = rule.formula
    if not isinstance(formula, Above) or rule.target not in seen.numbers:
        return rule
    places = [seen.numbers.index(name) for name in formula.lows if name in seen.numbers]
    high = seen.matrix[:, seen.numbers.index(rule.target)]
    gap = high - seen.matrix[:, places].max(1) if places else high
    known = ~np.isnan(gap)
    if known.any() and gap[known].std() > NARROW * high[known].std():
        decimals = seen.decimals(rule.target)
        return replace(rule, formula=replace(formula, gap=""), decimals=decimals)
    return rule


def _holds(seen: Seen) -> np.ndarray:
    """Whether column i is never above column j, and that is no chance, bool (C, C)."""
    matrix = seen.matrix
    roles = np.array([seen.role(name) for name in seen.numbers])
    holds = roles[:, None] == roles[None]
    np.fill_diagonal(holds, False)
    flags = [at for at, name in enumerate(seen.numbers) if len(seen.codes[name][1]) < 3]
    holds[flags], holds[:, flags] = False, False
    for part in np.array_split(matrix, max(len(matrix) // 256, 1)):
        for low in np.flatnonzero(holds.any(1)):
            highs = np.flatnonzero(holds[low])
            holds[low, highs] = ~(part[:, [low]] > part[:, highs]).any(0)
    for low, high in zip(*np.nonzero(holds), strict=True):
        holds[low, high] = _is_no_chance(matrix[:, low], matrix[:, high])
    both = holds & holds.T
    return holds & ~np.triu(both)


def _is_no_chance(low: np.ndarray, high: np.ndarray) -> bool:
    """Whether rows would break the order, and often, if one column came from other rows."""
    known = ~np.isnan(low) & ~np.isnan(high)
    low, high = low[known], high[known]
    if len(low) < FEWEST_ROWS or np.ptp(high - low) == 0:
        return False
    shifts = np.linspace(1, len(low) - 1, _SHIFTS).astype(int)
    broken = np.mean([(low > np.roll(high, shift)).mean() for shift in shifts])
    return bool(broken >= BROKEN_BY_CHANCE)
