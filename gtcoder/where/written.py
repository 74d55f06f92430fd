"""Conditions as users write them, read into columns, operators and values.

"sex=Female"  "age>=65"  "d=2013-06-01..2013-06-30"  {"age": (65, None), "x": ["a", "b"]}
and, where only text or JSON can be said,  '{"age": {"from": 65}, "x": ["a", "b"]}'

Shares of categories:  "fraud~yes:0.3"  "fraud~"  {"fraud": {"yes": 0.3}}  {"fraud": {}}
and in JSON  '{"fraud": {"mix": {"yes": 0.3}}}'; nothing named means equal shares.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gtcoder.errors import ConditionError
from gtcoder.typos import listed, meant

Where = Mapping[str, object] | Iterable[str]
"""Conditions, as a mapping from columns or as texts."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on one column."""

    name: str
    operator: str
    """`=`, `>=`, `<=`, `>`, `<`, or `~` for shares of categories."""
    value: object
    """As written: one value, (from, to), a list of which any will do, or None for missing; of
    shares a mapping from categories, which is empty where all are equal."""

    def __str__(self) -> str:
        ends = self.value if isinstance(self.value, tuple) else (self.value,)
        value = "..".join("" if end is None else str(end) for end in ends)
        return f"{self.name}{self.operator}{value if value else 'missing'}"


_COMPARISON = re.compile(r"\s*(>=|<=|==|=|>|<|~)(.*)", re.S)


def read_where(where: Where, names: Sequence[str]) -> dict[str, list[Condition]]:
    """The conditions on each column named.

    Raises:
        ConditionError: no comparison, or a column not among `names`.
    """
    if isinstance(where, str):
        where = [where]
    if isinstance(where, Mapping):
        read = _read_mapping(where)
    elif not isinstance(where, Iterable) or not all(isinstance(text, str) for text in where):
        raise ConditionError(
            f"conditions: expected a dict of columns or texts, found {where!r}; write "
            '{"age": (65, None)} or ["age>=65"]'
        )
    else:
        read = [condition for text in where for condition in _read_text(text, names)]
    found: dict[str, list[Condition]] = {}
    for condition in read:
        if condition.name not in names:
            raise _unknown_column(condition.name, names)
        found.setdefault(condition.name, []).append(condition)
    return found


def from_json(plain: object) -> Where:
    """Conditions out of JSON, where a range is `{"from": 65, "to": null}`.

    Raises:
        ConditionError: neither a list of texts nor an object of columns.
    """
    if isinstance(plain, list) and all(isinstance(text, str) for text in plain):
        return plain
    if not isinstance(plain, dict):
        raise ConditionError(
            f"conditions: expected a list of texts or an object of columns, found {plain!r}; "
            'write ["age>=65"] or {"age": {"from": 65}}'
        )
    return {name: _value_from_json(name, value) for name, value in plain.items()}


def _value_from_json(name: str, value: object) -> object:
    if isinstance(value, dict) and value.keys() == {"mix"} and isinstance(value["mix"], dict):
        return value["mix"]
    if isinstance(value, dict):
        ends = (value.get("from"), value.get("to"))
        if not value or not value.keys() <= {"from", "to"} or any(map(_is_nested, ends)):
            raise ConditionError(
                f'condition on {name!r}: expected {{"from": ..., "to": ...}}, found {value!r}'
            )
        return ends
    if isinstance(value, list) and any(map(_is_nested, value)):
        raise ConditionError(f"condition on {name!r}: expected plain values, found {value!r}")
    return value


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list)


def _read_mapping(where: Mapping[str, object]) -> list[Condition]:
    return [
        Condition(str(name), "~" if isinstance(value, Mapping) else "=", value)
        for name, value in where.items()
    ]


def _read_text(text: str, names: Sequence[str]) -> list[Condition]:
    """The longest column name that begins the text wins, so names may hold any sign."""
    for name in sorted(names, key=len, reverse=True):
        match = _COMPARISON.fullmatch(text, len(name)) if text.startswith(name) else None
        if match and match[1] == "~":
            return [Condition(name, "~", _shares(name, match[2]))]
        if match:
            return [Condition(name, match[1].replace("==", "="), match[2])]
    if text.lstrip().startswith("{"):
        try:
            plain = json.loads(text)
        except ValueError as error:
            raise ConditionError(f"condition {text!r}: not JSON ({error})") from error
        where = from_json(plain)
        assert isinstance(where, Mapping)
        return _read_mapping(where)
    match = re.fullmatch(r"(.+?)(>=|<=|==|=|>|<|~)(.*)", text, re.S)
    if match:
        raise _unknown_column(match[1].strip(), names)
    raise ConditionError(
        f"condition {text!r}: expected COLUMN=VALUE, COLUMN>=VALUE, COLUMN<=VALUE or "
        "COLUMN=FROM..TO; found no comparison; write it so"
    )


def _shares(name: str, text: str) -> dict[str, float]:
    """Of "yes:0.3,no:0.5" the share of each."""
    found = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        category, _, share = part.rpartition(":")
        try:
            found[category.strip()] = float(share)
        except ValueError:
            raise ConditionError(
                f"shares of {name!r}: expected CATEGORY:SHARE such as yes:0.3, found {part!r}; "
                f'write it so, or as JSON {{"{name}": {{"mix": {{"yes": 0.3}}}}}}'
            ) from None
    return found


def _unknown_column(name: str, names: Sequence[str]) -> ConditionError:
    return ConditionError(
        f"condition on {name!r}: expected one of the columns {listed(names)}; found no such column"
        f"{meant(name, names)}"
    )
