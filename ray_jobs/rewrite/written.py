"""What has been written of a table's pieces, as the footer of each file says it."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

LEAST = 10
"""So many of the least likely rows are named."""


@dataclass(frozen=True, slots=True)
class Written:
    """What has been written of some pieces."""

    files: tuple[tuple[str, int], ...] = ()
    """Name and rows of each."""
    rows: int = 0
    filled: int = 0
    """Cells that were drawn."""
    broken: int = 0
    """Rows in which a drawn cell does not go with those there, by a rule."""
    least: tuple[tuple[float, str], ...] = ()
    """The least likely rows, and what is odd about each."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All of several."""
        return cls(
            files=tuple(file for part in parts for file in part.files),
            rows=sum(part.rows for part in parts),
            filled=sum(part.filled for part in parts),
            broken=sum(part.broken for part in parts),
            least=least(one for part in parts for one in part.least),
        )

    def called(self, name: str) -> Self:
        """The same, as one file."""
        return replace(self, files=((name, self.rows),))

    @classmethod
    def of(cls, name: str, plain: Mapping[str, Any]) -> Self:
        """What the footer of a file says."""
        found = tuple((float(at), str(line)) for at, line in plain["least"])
        return cls((), plain["rows"], plain["filled"], plain["broken"], found).called(name)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values for a footer."""
        told = {"rows": self.rows, "filled": self.filled, "broken": self.broken}
        return told | {"least": self.least}

    def told(self, *, scores: bool) -> dict[str, Any]:
        """What a manifest says of all of it."""
        files = [{"name": name, "rows": rows} for name, rows in sorted(self.files)]
        drawn = {} if scores else {"filled": self.filled, "broken": self.broken}
        return {"rows": self.rows, **drawn, "files": files}


def least(found: Iterable[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """The least likely of some rows, in the order of their likelihood."""
    return tuple(heapq.nsmallest(LEAST, found))
