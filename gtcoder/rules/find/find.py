"""All candidates for rules of a table, the simplest first.

What is searched grows with the columns, not with the rows: arithmetic among 256 columns of numbers
at most, pairs that determine others among 40 columns of few values.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np

from gtcoder.rules.calendar import Moment
from gtcoder.rules.find.clocks import clocks, quotients
from gtcoder.rules.find.dependent import bins, dependent, flags
from gtcoder.rules.find.missing import missing
from gtcoder.rules.find.moments import moments
from gtcoder.rules.find.near import near, nearly
from gtcoder.rules.find.orders import orders
from gtcoder.rules.find.seen import Seen
from gtcoder.rules.find.sums import affine, copies, longer_sums, products, sums
from gtcoder.rules.formula import Bins, Copy
from gtcoder.rules.rule import Derived, Rule
from gtcoder.rules.together import Together
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch

FEWEST_ROWS = 30
"""Of fewer distinct rows, nothing is found."""
MOST_CANDIDATES = 500
"""So many are verified; the simplest."""
MOST_NEARLY = 100
"""And so many that are nearly kept."""


@np.errstate(all="ignore")
def candidates(schema: Schema, sketch: TableSketch) -> list[Rule]:
    """Rules that may hold, in the order in which they are preferred."""
    seen = Seen(schema, sketch)
    if seen.rows < FEWEST_ROWS:
        return []
    copied = list(copies(seen))
    seen = Seen(schema, sketch, frozenset(rule.target for rule in copied))
    formulas: dict[str, Derived] = {str(rule): rule for rule in copied}
    for rule in _arithmetic(seen):
        formulas.setdefault(str(rule), rule)
    given = {rule.target for rule in formulas.values()}
    for rule in bins(seen, given):
        formulas.setdefault(str(rule), rule)
    of_moments = [r.formula for r in formulas.values() if isinstance(r.formula, Moment)]
    calendars = [days for each in of_moments if (days := calendar(seen, each)) is not None]
    apart = {rule.target for rule in formulas.values() if isinstance(rule.formula, Copy | Bins)}
    kept_apart = {*apart, *_made(formulas.values())}
    groups = list(dependent(seen, kept_apart, list(flags(seen))))
    lacking, groups = missing(seen, given, groups)
    found: list[Rule] = [*formulas.values(), *calendars, *groups, *lacking]
    found += orders(seen)
    found = found[:MOST_CANDIDATES]
    exact = (rule for rule in found if isinstance(rule, Derived))
    return [*found, *islice(chain(near(seen, given), nearly(seen, exact)), MOST_NEARLY)]


def _arithmetic(seen: Seen) -> Iterator[Derived]:
    """Formulas, the simplest first."""
    searches = (quotients, moments, affine, clocks, sums, products, longer_sums)
    return chain.from_iterable(search(seen) for search in searches)


def _made(formulas: Iterable[Derived]) -> set[str]:
    """Columns that formulas give whatever else is kept: each is the first of its own."""
    made: set[str] = set()
    for rule in formulas:
        if not made & set(rule.formula.inputs):
            made.add(rule.target)
    return made


def calendar(seen: Seen, formula: Moment) -> Together | None:
    """The columns of a date, of which only those days may come back that there are."""
    days = [name for part, name in formula.parts if part in ("year", "month", "day")]
    kept = [name for name in days if name not in seen.constants]
    return Together(tuple(kept)) if len(kept) > 1 else None
