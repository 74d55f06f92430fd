"""Rows that a client sent, as a table, and what comes of them: pieces of a body, made in turn.

A piece is what a replica's thread does at once, so that others' rows are drawn in between. What is
told of a row is what the library tells of it in the whole table.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from gtcoder.sampling.complete import Completer
from serve.formats import ARROW, CSV, JSON, WRITERS, chosen, to_table
from serve.http.problems import ProblemError, invalid
from serve.http.schemas import Complete
from serve.registry import Model
from serve.sampling.request import columns_of

COMPLETABLE = (JSON, ARROW, CSV)
"""Media types of completed rows."""
SCORED_ROWS = 100
"""Rows that are scored at once."""
_SURPRISE = "surprise_"
"""Before a column's name, where the library names its surprise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompleteRequest:
    """Rows to complete, and how they are written."""

    table: pa.Table
    whole: tuple[str, ...]
    """Columns that are drawn whole, those that no row has among them."""
    draws: int
    seed: int
    media_type: str


def given(model: Model, rows: list[dict[str, Any]], most: int) -> pa.Table:
    """Records as a table of a model's kind; what a record lacks is missing.

    Raises:
        ProblemError: there are too many, a column is unknown, or a value does not convert (422).
    """
    if len(rows) > most:
        raise invalid("rows", f"expected at most {most:,} rows, found {len(rows):,}")
    try:
        return to_table(rows, model.bundle.schema.arrow)
    except ValueError as error:
        raise invalid("rows", str(error)) from error


def lacking(model: Model, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """The model's columns that no row has, not even as null."""
    found = {name for row in rows for name in row}
    return tuple(name for name in model.bundle.schema.names if name not in found)


def to_complete(
    model: Model, wanted: Complete, *, seed: int, accept: str | None, most: int
) -> CompleteRequest:
    """What is asked of a replica.

    Raises:
        ProblemError: a field has a value it cannot have (422), or there is no such format (406).
    """
    media_type = chosen(accept, list(COMPLETABLE))
    if media_type is None:
        raise ProblemError(
            406, "Not acceptable", f"Accept: expected one of {', '.join(COMPLETABLE)}"
        )
    whole = columns_of(model, wanted.columns)
    return CompleteRequest(
        table=given(model, wanted.rows, most),
        whole=tuple(dict.fromkeys((*whole, *lacking(model, wanted.rows)))),
        draws=wanted.n,
        seed=seed,
        media_type=media_type,
    )


def to_score(model: Model, rows: list[dict[str, Any]], most: int) -> pa.Table:
    """Rows whose scores are asked for.

    Raises:
        ProblemError: no row has a column, there are too many, or a value does not convert (422).
    """
    table = given(model, rows, most)
    if lacks := lacking(model, rows):
        detail = f"no row has the column {lacks[0]!r}; expected all of the model's, null if missing"
        raise invalid("rows", detail)
    return table


class Completion:
    """A request's rows as they are completed and written."""

    def __init__(self, completer: Callable[[], Completer], request: CompleteRequest) -> None:
        self._completer, self._request = completer, request
        self._filled = self._broken = 0
        self._writer = WRITERS[request.media_type](request.table.schema)

    @property
    def pieces(self) -> list[Callable[[], bytes]]:
        """What makes the rows of each draw, to be called in turn."""
        return [partial(self._piece, draw) for draw in range(self._request.draws)]

    def _piece(self, draw: int) -> bytes:
        asked, rows = self._request, self._request.table.num_rows
        done = self._completer().complete(
            asked.table, seed=asked.seed, start=draw * rows, columns=asked.whole
        )
        self._filled += done.filled
        self._broken += done.broken
        return self._writer.rows(done.table)

    def whole(self, rows: bytes) -> tuple[bytes, dict[str, str]]:
        """The body, once its rows are there, and its headers."""
        told = {"seed": self._request.seed, "filled": self._filled, "broken": self._broken}
        headers = {f"GTCoder-{name.title()}": str(value) for name, value in told.items()}
        rows += self._writer.end()
        if self._request.media_type == JSON:
            rows = b'{"rows":' + rows.rstrip() + b"," + json.dumps(told)[1:].encode()
        return rows, headers | {"Content-Type": self._request.media_type}


def score_pieces(
    scored: Callable[[pa.Table], pd.DataFrame], table: pa.Table
) -> list[Callable[[], bytes]]:
    """What makes the records of rows' scores, each beginning with a comma, to be called in turn."""

    def piece(start: int) -> bytes:
        frame = scored(table.slice(start, SCORED_ROWS))
        return b"".join(b"," + json.dumps(record).encode() for record in _records(frame))

    return [partial(piece, start) for start in range(0, len(table), SCORED_ROWS)]


def _records(scores: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for record in scores.to_dict("records"):
        told = {name: _plain(value) for name, value in record.items()}
        named = [name for name in told if name.startswith(_SURPRISE)]
        each = {name.removeprefix(_SURPRISE): told.pop(name) for name in named}
        yield {**told, "surprises": each} if each else told


def _plain(value: Any) -> Any:
    """The value as JSON has it, which has no word for NaN."""
    if value is None or isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else None
