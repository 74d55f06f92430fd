"""Conditions as users write them, read into columns, operators and values.

"sex=Female"  "age>=65"  "d=2013-06-01..2013-06-30"  {"age": (65, None), "x": ["a", "b"]}
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gtcoder.errors import ConditionError

Where = Mapping[str, object] | Iterable[str]
"""Conditions, as a mapping from columns or as texts."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on one column."""

    name: str
    operator: str
    """`=`, `>=`, `<=`, `>` or `<`."""
    value: object
    """As written: one value, (from, to), a list of which any will do, or None for missing."""

    def __str__(self) -> str:
        ends = self.value if isinstance(self.value, tuple) else (self.value,)
        value = "..".join("" if end is None else str(end) for end in ends)
        return f"{self.name}{self.operator}{value if value else 'missing'}"


_COMPARISON = re.compile(r"\s*(>=|<=|==|=|>|<)(.*)", re.S)


def read_where(where: Where, names: Sequence[str]) -> dict[str, list[Condition]]:
    """The conditions on each column named.

    Raises:
        ConditionError: no comparison, or a column not among `names`.
    """
    if isinstance(where, str):
        where = [where]
    if isinstance(where, Mapping):
        read = [Condition(str(name), "=", value) for name, value in where.items()]
    else:
        read = [_read_text(text, names) for text in where]
    found: dict[str, list[Condition]] = {}
    for condition in read:
        if condition.name not in names:
            raise _unknown_column(condition.name, names)
        found.setdefault(condition.name, []).append(condition)
    return found


def _read_text(text: str, names: Sequence[str]) -> Condition:
    """The longest column name that begins the text wins, so names may hold any sign."""
    for name in sorted(names, key=len, reverse=True):
        match = _COMPARISON.fullmatch(text, len(name)) if text.startswith(name) else None
        if match:
            return Condition(name, match[1].replace("==", "="), match[2])
    match = re.fullmatch(r"(.+?)(>=|<=|==|=|>|<)(.*)", text, re.S)
    if match:
        raise _unknown_column(match[1].strip(), names)
    raise ConditionError(
        f"condition {text!r}: expected COLUMN=VALUE, COLUMN>=VALUE, COLUMN<=VALUE or "
        "COLUMN=FROM..TO; found no comparison; write it so"
    )


def _unknown_column(name: str, names: Sequence[str]) -> ConditionError:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return ConditionError(
        f"condition on {name!r}: expected one of the columns {listed}; found no such column{hint}"
    )
