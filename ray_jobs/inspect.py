"""What a table is taken for before anything is trained: files, kinds, guesses, what is left out.

It is found as training finds it, from the sketch of all rows. Without `--address` no Ray is
started: pieces of the table are sketched on threads of this process.
"""

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import rich.box
import rich.table
from rich.console import Console
from rich.markup import escape

from gtcoder.errors import ConfigError, OutputError
from gtcoder.progress import Reporter, Stage, counted
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.files import exists, write_bytes
from gtcoder.table.locate import locate
from gtcoder.table.table import Piece, Table


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectRequest:
    """What the user asked for."""

    table: str
    out: str | None = None
    """Where to write the schema as JSON to edit."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """Kinds that override the inferred ones."""
    exclude: Sequence[str] = ()
    csv: CsvFormat | None = None
    """How CSV files are written, where that is not to be guessed."""
    on_bad_file: str = "fail"
    """`fail`, or `skip`: leave out files that are damaged or unlike most."""
    address: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.on_bad_file not in ("fail", "skip"):
            raise ConfigError(f"--on-bad-file {self.on_bad_file}: expected fail or skip")

    @property
    def skip_bad_files(self) -> bool:
        """Whether to go on without them."""
        return self.on_bad_file == "skip"


def run_inspection(request: InspectRequest, reporter: Reporter) -> None:
    """Show what the table is taken for, and write its schema where that is asked for.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    if request.out is not None and not request.overwrite and exists(request.out):
        raise OutputError(f"{request.out} exists; choose another --out, or add --overwrite")
    table = locate(
        request.table,
        skip_bad_files=request.skip_bad_files,
        csv=request.csv,
        exclude=request.exclude,
    )
    left_out = table.left_out(request.exclude)
    names = [name for name in table.schema.names if name not in left_out]
    Schema.infer(table.schema, TableSketch.of(_empty(table, names)), left_out)
    sketch, table = _sketched(table, names, request, reporter)
    schema = Schema.infer(table.schema, sketch, left_out)
    if request.schema:
        schema = schema.override(request.schema)
    show(table, schema, sketch, Console(width=_width()))
    for note in table.notes:
        reporter.warn(note)
    for why in table.skipped.values():
        reporter.warn(f"skipped: {why}")
    if request.out is not None:
        text = json.dumps(schema.editable(), indent=1, ensure_ascii=False) + "\n"
        write_bytes(request.out, text.encode())
        reporter.note(f"edit {request.out}, and give it to gtcoder train with --schema")


def _empty(table: Table, names: Sequence[str]) -> Any:
    return table.schema.empty_table().select(names)


def _sketched(
    table: Table, names: Sequence[str], request: InspectRequest, reporter: Reporter
) -> tuple[TableSketch, Table]:
    """The sketch of all rows, on a cluster if one is named."""
    with reporter.stage("sketch") as stage:
        if request.address is None:
            return sketch_here(table, names, stage), table
        from ray_jobs.cluster.connection import connected
        from ray_jobs.training.reading import sketch_table

        with connected(request.address) as cluster:
            return sketch_table(
                table, names, cluster.cpus, stage, skip_bad_files=request.skip_bad_files
            )


def sketch_here(table: Table, names: Sequence[str], stage: Stage) -> TableSketch:
    """The sketch of all rows, by threads of this process; memory does not grow with the table."""
    merged = TableSketch.of(_empty(table, names))
    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for piece, sketch in _in_turn(pool, table, names):
            merged = merged.merge(sketch)
            done += piece.rows
            stage.rows(done, table.rows)
    return merged


def _in_turn(
    pool: ThreadPoolExecutor, table: Table, names: Sequence[str]
) -> Iterator[tuple[Piece, TableSketch]]:
    """Sketches of the pieces in their order, a few ahead of whoever merges them."""
    ahead: deque[tuple[Piece, Future[TableSketch]]] = deque()
    for piece in table.pieces():
        ahead.append((piece, pool.submit(_sketch, table, names, piece)))
        if len(ahead) > 2 * (os.cpu_count() or 1):
            first, future = ahead.popleft()
            yield first, future.result()
    for piece, future in ahead:
        yield piece, future.result()


def _sketch(table: Table, names: Sequence[str], piece: Piece) -> TableSketch:
    merged: TableSketch | None = None
    for batch in table.batches(names, piece=piece):
        sketch = TableSketch.of(batch)
        merged = sketch if merged is None else merged.merge(sketch)
    return merged or TableSketch.of(_empty(table, names))


def show(table: Table, schema: Schema, sketch: TableSketch, console: Console) -> None:
    """Print what the table is taken for; no value of it."""
    files = counted(len(table.files), f"{table.format} file")
    console.print(escape(f"{table.uri}: {sketch.rows:,} rows, {files}"), highlight=False)
    if table.csv is not None:
        console.print(escape(f"read as --csv '{table.csv}'"), highlight=False)
    shown = rich.table.Table(box=rich.box.SIMPLE, pad_edge=False)
    for heading, side in (("column", "left"), ("kind", "left"), ("type", "left")):
        shown.add_column(heading, justify=side, overflow="fold")  # type: ignore[arg-type]
    shown.add_column("missing", justify="right")
    shown.add_column("distinct", justify="right")
    shown.add_column("note", overflow="fold")
    for column in schema.columns:
        found = sketch.columns[column.name]
        missing = (found.nulls + found.nans) / max(found.rows, 1)
        shown.add_row(
            escape(column.name),
            column.kind.value,
            f"{column.type}{'' if column.nullable else ', not null'}",
            f"{missing:.1%}" if missing else "",
            f"{found.distinct:,}",
            escape(column.note),
        )
    console.print(shown)
    left = [column.name for column in schema.columns if not column.is_learned]
    if left:
        console.print(f"not learned: {escape(', '.join(left))}", highlight=False)


def _width() -> int | None:
    """Of the terminal; where there is none, wide enough that no line is broken."""
    return None if Console().is_terminal else 200
