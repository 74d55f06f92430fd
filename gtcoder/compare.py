"""Real rows beside synthetic ones in memory, with what was learned of their columns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyarrow as pa

from gtcoder.errors import SchemaError
from gtcoder.evaluation.evaluate import DEFAULT_ROWS, Request, evaluate
from gtcoder.evaluation.evaluation import Evaluation
from gtcoder.evaluation.measures import Progress
from gtcoder.evaluation.samples import check_columns, conformed
from gtcoder.evaluation.side_by_side import draw
from gtcoder.progress import Reporter
from gtcoder.schema.kind import possible_kinds
from gtcoder.schema.schema import Schema
from gtcoder.table.memory import MemoryTable, TableLike, to_arrow
from gtcoder.table.types import family_of

REAL, SYNTHETIC, HELD_OUT = "the real rows", "the synthetic rows", "the held-out rows"
"""How tables in memory are called."""


def evaluated(
    schema: Schema,
    real: TableLike,
    synthetic: TableLike,
    *,
    holdout: TableLike | None = None,
    target: str | None = None,
    exclude: Iterable[str] = (),
    rows: int = DEFAULT_ROWS,
    seed: int = 0,
    quick: bool = False,
    reporter: Reporter,
) -> Evaluation:
    """Measure synthetic rows against real ones; see `Synthesizer.evaluate`."""
    known = as_learned(real, schema, REAL)
    left_out = {str(name) for name in exclude}
    unlearned = {name for name in known.table.column_names if name not in schema.names}
    request = Request(
        real=known,
        synthetic=as_learned(synthetic, schema, SYNTHETIC),
        holdout=None if holdout is None else as_learned(holdout, schema, HELD_OUT),
        target=target,
        rows=rows,
        seed=seed,
        quick=quick,
        schema=_kinds(schema, known.table, left_out),
        exclude=tuple(sorted(left_out | unlearned)),
    )
    return Evaluation(evaluate(request, shown_by(reporter)))


def drawn(
    schema: Schema, real: TableLike, synthetic: TableLike, columns: Sequence[str] | None
) -> Any:
    """Columns of real and synthetic rows side by side; see `Synthesizer.plot`."""
    known, others = as_learned(real, schema, REAL), as_learned(synthetic, schema, SYNTHETIC)
    theirs = {*schema.names, *(columns or ())} & {*others.table.column_names}
    both = [name for name in known.table.column_names if name in theirs]
    known, others = (MemoryTable(each.uri, each.table.select(both)) for each in (known, others))
    check_columns(known, others)
    (alike,) = conformed(others, known.schema)
    return draw(known.table, alike, _kinds(schema, known.table), columns)


def as_learned(table: TableLike, schema: Schema, name: str) -> MemoryTable:
    """A table in memory whose columns are of the learned types' families: a zip code is text.

    Raises:
        TableError: it is no table.
        SchemaError: a column's values do not go into the type that was learned.
    """
    arrow = to_arrow(table)
    for at, field in enumerate(arrow.schema):
        if field.name not in schema.names:
            continue
        wanted = schema[field.name].type
        if family_of(field.type) is not family_of(wanted):
            try:
                column = arrow.column(at).cast(wanted)
            except pa.ArrowException as error:
                said = str(error).splitlines()[0]
                raise SchemaError(
                    f"column {field.name!r} of {name} does not convert to {wanted}, which was "
                    f"learned: {said}"
                ) from error
            arrow = arrow.set_column(at, pa.field(field.name, wanted), column)
    return MemoryTable(name, arrow)


def shown_by(reporter: Reporter) -> Callable[[str], AbstractContextManager[Progress]]:
    """How a reporter is told what an evaluation does."""

    @contextmanager
    def stage(name: str) -> Iterator[Progress]:
        with reporter.stage(name) as entered:
            yield lambda share: entered.update(share, "")

    return stage


def _kinds(schema: Schema, table: pa.Table, left_out: Iterable[str] = ()) -> dict[str, Any]:
    """The kinds that columns of a table were learned as, those their types can have."""
    kinds = {
        field.name: {"kind": schema[field.name].kind.value}
        for field in table.schema
        if field.name in schema.names
        and field.name not in left_out
        and schema[field.name].kind in possible_kinds(field.type)
    }
    return {"columns": kinds}
