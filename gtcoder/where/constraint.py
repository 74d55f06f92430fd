"""What rows must be like: conditions -> constraints on encoded fields, and checks of whole rows.

Ends of ranges are included, a date stands for its whole day, and several conditions on one column
must all hold. A condition on a column that rules derive becomes one on the columns it follows from
where these have a code for each value, and is seen to in whole rows.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from gtcoder.codec.category import CategoryTransform
from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Constraint
from gtcoder.codec.number import NumberTransform
from gtcoder.codec.transform import Transform
from gtcoder.errors import ConditionError
from gtcoder.rules.rule import Derived, Missing, is_raised
from gtcoder.rules.together import Together
from gtcoder.schema.kind import CATEGORIES
from gtcoder.schema.schema import Column
from gtcoder.table.lookup import lookup_type
from gtcoder.table.types import Family, family_of, is_text, value_type
from gtcoder.where.conditions import Check, Conditions
from gtcoder.where.derived import both, combined, projected, reachable
from gtcoder.where.literal import TickRange, tick_range
from gtcoder.where.mix import mixed, weighed
from gtcoder.where.written import Condition, Where, read_where

_MOST_VALUES = 1_000
"""Values of one condition of which any will do."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A column that conditions name, its transform, and the place of its field, if it has one."""

    column: Column
    transform: Transform | None
    field: int | None


def constraints(codec: Codec, where: Where) -> Conditions:
    """What `where` asks of rows.

    Raises:
        ConditionError: an unknown column, a column that is not learned, a category or a range
            that no row can have, or shares that are none; the message names what is known.
    """
    learned = {column.name: at for at, column in enumerate(codec.learned)}
    kept = (r for r in codec.rules.kept if isinstance(r, Derived | Missing))
    changed = {r.target for r in kept if isinstance(r, Missing) or is_raised(r)}
    found: dict[int, Constraint] = {}
    checks, mix = [], None
    for name, conditions in read_where(where, codec.schema.names).items():
        if any(condition.operator == "~" for condition in conditions):
            if mix is not None or len(conditions) > 1:
                raise ConditionError(
                    f"shares of {name!r}: expected shares of one column, and no other condition on "
                    "it; leave one out"
                )
            mix = _mix(codec, name, conditions[0].value)
            _put(found, mix[0], weighed(codec, mix), name)
            continue
        column, rule = codec.schema[name], codec.rules.derived.get(name)
        if isinstance(rule, Together):
            at = learned[rule.name]
            constraint = combined(codec, rule, at, _check(column, conditions))
            _put(found, codec.places.get(at), constraint, name)
        elif rule is not None:
            check = _check(column, conditions)
            checks.append(check)
            if not reachable(codec, rule, check):
                raise _nothing(name, codec.describe()[name], conditions)
            for place, constraint in projected(codec, rule, check).items():
                _put(found, place, constraint, name)
        else:
            at = learned[name]
            one = _Asked(column, codec.transforms[at], codec.places.get(at))
            place, constraint = _constraint(one, conditions)
            _put(found, place, constraint, name)
            if name in changed:
                checks.append(_check(column, conditions))
    return Conditions(found, tuple(checks), mix)


def _mix(codec: Codec, name: str, asked: object) -> tuple[int, np.ndarray]:
    """The field of a column of categories, and the share asked for of each code."""
    known = codec.describe()[name]
    if "categories" not in known:
        raise ConditionError(
            f"shares of {name!r}: expected a column of categories, found one of kind "
            f"{known['kind']}; set ranges with conditions"
        )
    assert isinstance(asked, Mapping)
    categories = list(asked) or known["categories"]
    each = {category: constraints(codec, {name: category}) for category in categories}
    return mixed(codec, name, asked, each)


def _put(
    found: dict[int, Constraint], place: int | None, constraint: Constraint, name: str
) -> None:
    """Add what a field must be to what it must be already."""
    if place is None:
        return
    if place in found:
        constraint = both(found[place], constraint)
    if not constraint.weights.any():
        raise ConditionError(
            f"column {name!r}: no row that was learned from has this, or not together with the "
            "other conditions; widen one of them"
        )
    found[place] = constraint


def _check(column: Column, conditions: Sequence[Condition]) -> Check:
    """What whole rows must be like, of any column."""
    one = _Asked(column, None, None)
    if family_of(value_type(column.type)) is Family.NUMBER and column.kind not in CATEGORIES:
        allowed, missing = _allowed(one, conditions)
        return Check(column.name, missing, ranges=tuple(allowed))
    missing, words = True, None
    for condition in conditions:
        if condition.operator != "=" or isinstance(condition.value, tuple):
            raise _no_order(one, condition)
        values = _any_of(condition)
        missing = missing and any(value is None or value == "" for value in values)
        named = {word for value in values if value is not None for word in _candidates(one, value)}
        words = named if words is None else words & named
    return Check(column.name, missing, words=pa.array(list(words or ()), lookup_type(column.type)))


def _constraint(one: _Asked, conditions: Sequence[Condition]) -> tuple[int, Constraint]:
    if one.field is None or not one.column.is_learned:
        raise ConditionError(
            f"column {one.column.name!r}: expected a column that is learned; found one of kind "
            f"{one.column.kind} that is not, as it has one value or none of its own; "
            "leave the condition out"
        )
    if isinstance(one.transform, CategoryTransform):
        constraint = _category(one, one.transform, conditions)
    else:
        assert isinstance(one.transform, NumberTransform)
        constraint = _number(one, one.transform, conditions)
    if not constraint.weights.any():
        assert one.transform is not None
        raise _nothing(one.column.name, one.transform.describe(), conditions)
    return one.field, constraint


def _nothing(
    name: str, known: Mapping[str, Any], conditions: Sequence[Condition]
) -> ConditionError:
    if "categories" in known:
        values = ", ".join(map(str, known["categories"][:10]))
    else:
        values = f"{known['low']}..{known['high']}"
    return ConditionError(
        f"column {name!r}: expected something seen in training ({values}"
        f"{', or missing' if known['missing'] else '; never missing'}); found "
        f"{' and '.join(map(str, conditions))}, which no row meets; widen the condition"
    )


def _any_of(condition: Condition) -> list[object]:
    value = condition.value
    if not isinstance(value, list | set | frozenset):
        return [value]
    if not value:
        raise ConditionError(
            f"column {condition.name!r}: expected at least one value, found none; name one"
        )
    if len(value) > _MOST_VALUES:
        raise ConditionError(
            f"column {condition.name!r}: expected at most {_MOST_VALUES:,} values, found "
            f"{len(value):,}; give fewer, or a range"
        )
    return list(value)


def _category(
    one: _Asked, transform: CategoryTransform, conditions: Sequence[Condition]
) -> Constraint:
    found = []
    for condition in conditions:
        if condition.operator != "=" or isinstance(condition.value, tuple):
            raise _no_order(one, condition)
        each = [_one_category(one, transform, value) for value in _any_of(condition)]
        found.append(np.max([constraint.weights for constraint in each], axis=0))
    weights = np.min(found, axis=0)
    return Constraint(weights, np.zeros_like(weights), np.zeros_like(weights))


def _no_order(one: _Asked, condition: Condition) -> ConditionError:
    return ConditionError(
        f"column {one.column.name!r}: expected {one.column.name}=CATEGORY, as values of "
        f"kind {one.column.kind} have no order; found {condition}; name categories"
    )


def _one_category(one: _Asked, transform: CategoryTransform, value: object) -> Constraint:
    if value is None:
        return transform.missing()
    for candidate in _candidates(one, value):
        wanted = pa.array([candidate], lookup_type(one.column.type))
        constraint = transform.constrain(wanted)
        if constraint.weights.any():
            return constraint
    if value == "" and transform.null:
        return transform.missing()
    raise ConditionError(
        f"column {one.column.name!r}: expected a category seen in training "
        f"({_nearest(str(value).strip(), transform)}); found {value!r}; choose one of those"
    )


def _candidates(one: _Asked, value: object) -> list[Any]:
    """What a category may be in the lookup type: a text as it stands, then without its margins."""
    kind = value_type(one.column.type)
    if is_text(kind):
        return [str(value), str(value).strip()]
    word = str(value).strip().lower()
    if pt.is_boolean(kind):
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return [words[word]] if word in words else []
    if not word:
        return []
    low, high = _ticks(one, value)
    return [low] if low == high else []


def _nearest(word: str, transform: CategoryTransform) -> str:
    """At most ten categories, the nearest first, then the commonest."""
    names = [str(value) for value in transform.describe()["categories"]]
    near = difflib.get_close_matches(word, names, n=10, cutoff=0.4)
    listed = [*near, *(name for name in names[:20] if name not in near)][:10]
    return ", ".join(listed) + (f", … {len(names)} in all" if len(names) > len(listed) else "")


def _number(one: _Asked, transform: NumberTransform, conditions: Sequence[Condition]) -> Constraint:
    allowed, missing = _allowed(one, conditions)
    found = [transform.constrain(low, high) for low, high in allowed]
    if missing:
        found.append(transform.missing())
    return _union(one, found or [transform.constrain(math.inf, -math.inf)])


def _allowed(one: _Asked, conditions: Sequence[Condition]) -> tuple[list[TickRange], bool]:
    """The ticks that conditions allow, and whether they allow that there is none."""
    allowed: list[TickRange] = [(-math.inf, math.inf)]
    missing = True
    for condition in conditions:
        values = _any_of(condition)
        present = [value for value in values if value is not None and value != ""]
        missing = missing and len(present) < len(values)
        ranges = [_range(one, condition, value) for value in present]
        allowed = _common(allowed, _apart(ranges))
    return allowed, missing


def _common(some: Sequence[TickRange], others: Sequence[TickRange]) -> list[TickRange]:
    """What two series of ranges, each apart and in order, have in common."""
    found, i, j = [], 0, 0
    while i < len(some) and j < len(others):
        low, high = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if low <= high:
            found.append((low, high))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return found


def _apart(ranges: Sequence[TickRange]) -> list[TickRange]:
    """The same values as ranges that do not overlap, in order."""
    found: list[TickRange] = []
    for low, high in sorted(each for each in ranges if each[0] <= each[1]):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def _range(one: _Asked, condition: Condition, value: object) -> TickRange:
    """The first and the last tick that one value of a condition allows."""
    if condition.operator == "=":
        return _between(one, value)
    first, last = _ticks(one, value)
    match condition.operator:
        case ">=":
            return first, math.inf
        case "<=":
            return -math.inf, last
        case ">":
            return _above(first, last), math.inf
    return -math.inf, -_above(-last, -first)


def _between(one: _Asked, value: object) -> TickRange:
    if isinstance(value, str) and ".." in value:
        low, _, high = value.partition("..")
        value = (low.strip() or None, high.strip() or None)
    ends = value if isinstance(value, tuple) else (value, value)
    if len(ends) != 2:
        raise ConditionError(
            f"column {one.column.name!r}: expected a range (FROM, TO), found {len(ends)} values; "
            "give two, None for an open end, or a list of which any will do"
        )
    first = -math.inf if ends[0] is None else _ticks(one, ends[0])[0]
    return first, math.inf if ends[1] is None else _ticks(one, ends[1])[1]


def _above(first: float, last: float) -> float:
    """The tick after a stretch; an empty stretch has its upper neighbour first."""
    if first > last:
        return first
    return last + 1 if isinstance(last, int) else math.nextafter(last, math.inf)


def _ticks(one: _Asked, value: object) -> TickRange:
    kind = value_type(one.column.type)
    try:
        return tick_range(value, kind)
    except ValueError as error:
        raise ConditionError(
            f"column {one.column.name!r}: expected {error}, as the column is {kind}; "
            f"found {value!r}; write it so"
        ) from None


def _union(one: _Asked, found: Sequence[Constraint]) -> Constraint:
    """Where any of several found is met."""
    weights, lows, highs = (
        np.stack([getattr(constraint, part) for constraint in found])  # (found, cardinality)
        for part in ("weights", "low", "high")
    )
    best, at = weights.argmax(0), np.arange(weights.shape[1])
    if (((weights > 0).sum(0) > 1) & (weights.max(0) < 1)).any():
        raise ConditionError(
            f"column {one.column.name!r}: expected values that stand apart, found several too "
            "close to tell from what lies between them; give a range FROM..TO"
        )
    return Constraint(weights[best, at], lows[best, at], highs[best, at])
