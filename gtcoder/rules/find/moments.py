"""Parts of moments, in the time zone in which they fit, and moments that are made of parts.

Shapes: F few rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from zoneinfo import available_timezones

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.rules.calendar import PARTS, Moment, Part, local_time, part_of
from gtcoder.rules.find.clocks import like
from gtcoder.rules.find.seen import Seen
from gtcoder.rules.rule import Derived
from gtcoder.rules.values import Values

_FIRST_ZONES = (
    "UTC",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Paris",
    "Europe/Berlin",
    "Europe/Moscow",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
)
"""Of zones with the same times, the first of these is named, then the first of the alphabet."""
_COUNTED_FROM = {"weekday": (0, 1), "weekday_from_sunday": (0, 1)}


def moments(seen: Seen) -> Iterator[Derived]:
    """A moment that its parts make, and the parts of moments."""
    for name in seen.numbers:
        if seen.role(name) == "moment":
            found = max((_parts(seen, name, zone) for zone in _zones(seen, name)), key=len)
            parts = _holding(seen, found)  # of the first of the best zones
            yield from _made(seen, name, parts)
            for rules in parts.values():
                yield from rules


def _made(seen: Seen, name: str, parts: Mapping[str, list[Derived]]) -> Iterator[Derived]:
    """The moment out of its parts, where they make all of it."""
    first = {part: rules[0].target for part, rules in parts.items()}
    days = ["date"] if "date" in first else ["year", "month", "day"]
    if not all(part in first for part in days):
        return
    zone = next(_part(rules[0]).zone for rules in parts.values())
    chosen = [(part, first[part]) for part in days]
    formulas = [Moment(tuple(chosen), zone)]
    for part in ("hour", "minute", "second"):
        if part not in first:
            break
        chosen.append((part, first[part]))
        formulas.append(Moment(tuple(chosen), zone))
    for formula in formulas:
        rule = seen.convincing(name, formula)
        if rule is not None:
            yield rule
            return


def _holding(seen: Seen, rules: Sequence[Derived]) -> dict[str, list[Derived]]:
    """Those that hold in all rows seen, by the part."""
    found: dict[str, list[Derived]] = {}
    for rule in rules:
        if rule.target in seen.constants:
            holds = not (rule.agrees(seen.arrays) == 0).any()
        else:
            holds = seen.convinces(rule)
        told = {other.target for others in found.values() for other in others}
        if holds and rule.target not in told:
            found.setdefault(_part(rule).part, []).append(rule)
    return found


def _part(rule: Derived) -> Part:
    assert isinstance(rule.formula, Part)
    return rule.formula


def _parts(seen: Seen, name: str, zone: str) -> list[Derived]:
    """The columns that are parts of a moment in a zone in a few rows."""
    local = local_time(seen.few[name], zone)
    gone = local.is_null().to_numpy(zero_copy_only=False)
    names, few = _whole_numbers(seen, name)
    found = []
    for part in PARTS:
        numbers = part_of(part, local)
        for first in _COUNTED_FROM.get(part, (0,)):
            wanted = np.where(gone, np.nan, numbers + first)
            found += [(names[at], Part(part, name, zone, first)) for at in like(few, wanted)]
    if pt.is_timestamp(seen.schema[name].type):
        dates = (n for n in seen.numbers if pt.is_date(seen.schema[n].type) and n != name)
        found += [(other, Part("date", name, zone)) for other in dates]
    rules = (Derived(other, formula, seen.decimals(other)) for other, formula in found)
    return [rule for rule in rules if not (rule.agrees(seen.few) == 0).any()]


def _whole_numbers(seen: Seen, name: str) -> tuple[list[str], np.ndarray]:
    """Columns of whole numbers that may be parts, and a few rows of them (F, columns)."""
    numbers = (n for n in seen.numbers if seen.role(n) == "number" and seen.decimals(n) == 0)
    names = [other for other in (*numbers, *seen.constants) if other != name]
    columns = [Values.of(seen.few[other]) for other in names]
    few = [np.where(values.known, values.numbers, np.nan) for values in columns]
    rows = len(seen.few[name])
    return names, np.stack(few, 1) if few else np.zeros((rows, 0))


def _zones(seen: Seen, name: str) -> list[str]:
    """None, the column's own, and one of each group that differs on a few rows."""
    kind = seen.schema[name].type
    own = getattr(kind, "tz", None)
    zones = ["", *([own] if own else [])]
    if not pt.is_timestamp(kind):
        return zones
    few = seen.few[name].drop_null()
    known: dict[bytes, str] = {}
    for zone in (*zones, *_all_zones()):
        known.setdefault(_local(few, zone), zone)
    return list(known.values())


@cache
def _all_zones() -> tuple[str, ...]:
    rest = sorted(z for z in available_timezones() if "/" in z and not z.startswith("Etc/"))
    return *_FIRST_ZONES, *(zone for zone in rest if zone not in _FIRST_ZONES)


def _local(moments: pa.Array, zone: str) -> bytes:
    try:
        local = local_time(moments, zone)
    except pa.ArrowException:  # a zone that this machine's database lacks
        local = local_time(moments, "")
    return np.asarray(Values.of(local).numbers).tobytes()
