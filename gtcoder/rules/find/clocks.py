"""Quotients and remainders, what they make together, and clocks written hhmm.

Shapes: F few rows, C columns.
"""

from collections.abc import Iterator

import numpy as np

from gtcoder.rules.arithmetic import Linear, Quotient, Remainder
from gtcoder.rules.calendar import Clock, clock_minutes
from gtcoder.rules.find.seen import FEW, Seen
from gtcoder.rules.formula import Formula
from gtcoder.rules.rule import Derived

_SMALL = (2, 4, 5, 7, 10, 12, 15, 20, 24, 25, 30, 50, 52, 60)
DIVISORS = (*_SMALL, 100, 365, 1_000, 3_600, 10_000, 86_400)
_MINUTES = 1440


def quotients(seen: Seen) -> Iterator[Derived]:
    """x = k · q + r where both are there, q = x // k and r = x % k."""
    names = [name for name in seen.numbers if seen.role(name) == "number"]
    few = seen.matrix[:FEW, [seen.numbers.index(name) for name in names]]
    for at, name in enumerate(names):
        column = few[:, at]
        known = column[~np.isnan(column)]
        spread = known.max(initial=-np.inf) - known.min(initial=np.inf)
        for divisor in DIVISORS:
            if spread < 2 * divisor:
                break
            q = [names[k] for k in like(few, np.floor_divide(column, divisor)) if k != at]
            r = [names[k] for k in like(few, np.mod(column, divisor)) if k != at]
            if q and r:
                yield from _kept(seen, name, Linear(((divisor, q[0]), (1, r[0]))))
            for each in q:
                yield from _kept(seen, each, Quotient(name, divisor))
            for each in r:
                yield from _kept(seen, each, Remainder(name, divisor))


def like(few: np.ndarray, wanted: np.ndarray) -> list[int]:
    """The columns that have the numbers wanted (F,), where both are known."""
    said = ~np.isnan(few) & ~np.isnan(wanted)[:, None]
    same = (few == wanted[:, None]) | ~said
    return [int(k) for k in np.flatnonzero(same.all(0) & said.any(0))]


def clocks(seen: Seen) -> Iterator[Derived]:
    """y = x plus or minus so many minutes, both hhmm, modulo a day."""
    names = [name for name in seen.numbers if _is_clock(seen, name)]
    minutes = {name: clock_minutes(seen.values[name].numbers) for name in names}
    lengths = [n for n in seen.numbers if seen.role(n) == "number" and n not in names]
    lengths += names  # what looks like a clock may be minutes
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            both = seen.values[one].known & seen.values[other].known
            apart = np.mod(minutes[other] - minutes[one], _MINUTES)
            for length in lengths:
                if length in (one, other):
                    continue
                known = both & seen.values[length].known
                later = np.mod(np.rint(seen.values[length].numbers).astype(np.int64), _MINUTES)
                for sign in (1, -1):
                    if known.any() and (np.mod(sign * later, _MINUTES) == apart)[known].all():
                        yield from _later(seen, one, other, length, sign)


def _later(seen: Seen, one: str, other: str, length: str, sign: int) -> Iterator[Derived]:
    """The relation solved for the clock of more values."""
    ways = [(other, one, sign), (one, other, -sign)]
    distinct = {name: seen.sketch.columns[name].distinct for name in (one, other)}
    for target, source, way in sorted(ways, key=lambda each: -distinct[each[0]]):
        values = seen.values[target]
        midnight = 2400 if (values.numbers[values.known] == 2400).any() else 0
        found = list(_kept(seen, target, Clock(source, length, way, midnight)))
        if found:
            yield from found
            return


def _is_clock(seen: Seen, name: str) -> bool:
    """Whether a column may hold clocks: whole numbers up to 2400 whose last two digits are < 60."""
    if seen.role(name) != "number" or seen.decimals(name) != 0:
        return False
    values = seen.values[name]
    numbers = values.numbers[values.known]
    sane = len(numbers) > 0 and numbers.min() >= 0 and 100 < numbers.max() <= 2400
    return bool(sane and (np.mod(numbers, 100) < 60).all())


def _kept(seen: Seen, target: str, formula: Formula) -> Iterator[Derived]:
    rule = seen.convincing(target, formula)
    if rule is not None:
        yield rule
