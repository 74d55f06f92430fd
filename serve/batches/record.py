"""What is kept of a batch: what was asked for, how often it was tried, and how it ended."""

import json
import re
from dataclasses import dataclass
from typing import Any

from serve.http.schemas import State

CURSOR = r"\d{17}-[0-9a-f]{24}"
"""A place in the list of batches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What was asked for, and how often it was tried."""

    id: str
    owner: str
    """Of the key it was begun with."""
    model: str
    bundle: str
    checksum: str
    rows: int
    seed: int
    where: Any
    output: str
    """Relative to the root."""
    rows_per_file: int
    created: str
    attempt: int = 1
    written_before: int = 0
    """Rows that were there when this attempt began."""
    cancelled: bool = False
    seed_given: bool = True
    keyed: bool = True
    """Whether an Idempotency-Key was given, by which a repeat finds it."""
    submitted_s: float = 0.0
    """When this attempt began, in seconds since 1970; 0 if its job could not be submitted."""
    state: State | None = None
    """How this attempt ended, once it has."""
    message: str | None = None
    """What went wrong, if it did."""
    rows_written: int = 0
    """Rows that were there when it ended."""

    @property
    def job(self) -> str:
        """The Ray job of this attempt."""
        return f"gtcoder-{self.id}-{self.attempt}"

    @property
    def cursor(self) -> str:
        """Its place in the list of batches, by its time."""
        return f"{re.sub('[^0-9]', '', self.created)[:17]}-{self.id}"

    def conditions(self) -> list[str]:
        """`where` as the command line takes it."""
        where = self.where if self.where is not None else []
        return list(where) if isinstance(where, list) else [json.dumps(where)]

    def asked(self) -> tuple[Any, ...]:
        """What makes two requests the same."""
        seed = self.seed if self.seed_given else None
        return self.model, self.rows, seed, self.where, self.rows_per_file, self.output
