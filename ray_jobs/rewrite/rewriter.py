"""A bundle, and what it makes of rows: gaps filled in their places, or scores beside them."""

from collections.abc import Callable, Iterator
from functools import cached_property

import pyarrow as pa

from gtcoder.bundle import Bundle
from gtcoder.errors import TableError
from gtcoder.rules.rule import is_missing
from gtcoder.rules.values import instead
from gtcoder.sampling.complete import Completer
from gtcoder.sampling.draw import Drawer
from gtcoder.score import table_scores
from gtcoder.table.types import flat
from ray_jobs.rewrite.rewriting import Rewriting
from ray_jobs.rewrite.written import LEAST, Written

_SCORED = {
    "log_likelihood": pa.float64(),
    "standard_error": pa.float64(),
    "most_surprising": pa.string(),
    "excess": pa.float32(),
}
SCORES = tuple(_SCORED)
"""The columns that scores take."""
_PIECE_BITS, _DRAW_BITS = 36, 58
"""Where in a row's number its piece and its draw stand."""


class Rewriter:
    """What becomes of rows by a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self.codec, self.model = bundle.codec, bundle.model()
        self.learned_rows: int = bundle.info["rows"]

    def rows(
        self,
        batch: pa.Table,
        job: Rewriting,
        piece: int,
        first: int,
        named: Callable[[int], str],
    ) -> Iterator[tuple[pa.Table, Written]]:
        """What becomes of some rows of a piece.

        Args:
            batch: the rows.
            job: what is done with them.
            piece: its number.
            first: the number of the first row in it.
            named: how a user finds a row of the piece, by its number.

        Raises:
            TableError: a column's values do not go into the type they were learned with, or what
                is drawn does not go into the table's.
        """
        if job.score:
            yield self._scored(batch, first, named)
        else:
            yield from self._completed(batch, job, (piece << _PIECE_BITS) + first)

    def nothing(self, schema: pa.Schema, job: Rewriting) -> pa.Table:
        """No rows, as they would be."""
        return next(self.rows(schema.empty_table(), job, 0, 0, str))[0]

    @cached_property
    def _completer(self) -> Completer:
        return Completer(Drawer(self.model, self.codec.layout), self.codec)

    def _completed(
        self, batch: pa.Table, job: Rewriting, number: int
    ) -> Iterator[tuple[pa.Table, Written]]:
        for draw in range(job.draws):
            done = self._completer.complete(
                batch, seed=job.seed, start=(draw << _DRAW_BITS) + number, columns=job.whole
            )
            rows = _in_place(batch, done.table, job.whole)
            if job.draws > 1:
                rows = rows.append_column("draw", pa.array([draw] * len(rows), pa.int32()))
            yield rows, Written(rows=len(rows), filled=done.filled, broken=done.broken)

    def _scored(
        self, batch: pa.Table, first: int, named: Callable[[int], str]
    ) -> tuple[pa.Table, Written]:
        found = table_scores(self.model, self.codec, batch, learned_rows=self.learned_rows)
        rows = batch
        for column, kind in _SCORED.items():
            rows = rows.append_column(column, pa.array(found[column], kind, from_pandas=True))
        least = []
        for at, row in found.nsmallest(LEAST, "log_likelihood").iterrows():
            line = f"{row['log_likelihood']:9.2f} nats  {named(first + at)}"
            surprising = row["most_surprising"]
            if surprising is not None:
                columns = [
                    name for name in str(surprising).split(", ") if name in batch.column_names
                ]
                value = ", ".join(str(batch[name][at].as_py()) for name in columns)
                line += f"  {surprising}{' = ' if columns else ''}{value} ({row['excess']:+.1f})"
            least.append((float(row["log_likelihood"]), line))
        return rows, Written(rows=len(rows), least=tuple(least))


def _in_place(batch: pa.Table, done: pa.Table, whole: tuple[str, ...]) -> pa.Table:
    """The rows with what was drawn in the places and types of what they had.

    A cell that was there stays as it was, to the last bit, whatever the bundle makes of it.
    """
    columns = {
        name: _column(batch[name], done[name], name, name in whole)
        if name in done.column_names
        else batch[name]
        for name in batch.column_names
    }
    added = [name for name in done.column_names if name not in columns]
    return pa.table(columns | {name: done[name] for name in added})


def _column(
    given: pa.ChunkedArray, done: pa.ChunkedArray, name: str, whole: bool
) -> pa.Array | pa.ChunkedArray:
    """A column with what was drawn of it, in the type of what was given.

    Raises:
        TableError: the type cannot hold what was drawn.
    """
    if pa.types.is_null(given.type):
        return done
    there = flat(given)
    gone = is_missing(there)
    if not (whole or gone.any()):
        return given
    try:
        if whole:
            return done.cast(given.type)
        drawn = instead(pa.nulls(len(done), done.type), flat(done), gone).cast(given.type)
    except pa.ArrowException as error:
        raise TableError(
            f"column {name!r} is {given.type} in the table, which cannot hold what is drawn of "
            f"it: {str(error).splitlines()[0]}; write it as {done.type}, as the bundle has it"
        ) from error
    return instead(there, drawn, gone)
