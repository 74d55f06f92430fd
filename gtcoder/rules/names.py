"""Columns' names in rules as they are written: `a name of several words` stands in backticks."""

import re

_PLAIN = re.compile(r"[^\W\d]\w*")


def quoted(name: str) -> str:
    """A name as it is written in a rule."""
    return name if _PLAIN.fullmatch(name) else f"`{name}`"
