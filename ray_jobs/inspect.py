"""What a table is taken for before anything is trained: files, kinds, guesses, what is left out.

It is found as training finds it, from the sketch of all rows. Without `--address` no Ray is
started: pieces of the table are sketched on threads of this process.
"""

import json
from dataclasses import dataclass

import rich.box
import rich.table
from rich.console import Console
from rich.markup import escape

from gtcoder.errors import OutputError
from gtcoder.progress import Reporter
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.files import exists, write_bytes
from ray_jobs.sources.find import reading
from ray_jobs.sources.options import ReadOptions
from ray_jobs.sources.source import Source, tell_skipped


@dataclass(frozen=True, kw_only=True)
class InspectRequest(ReadOptions):
    """What the user asked for."""

    table: str
    out: str | None = None
    """Where to write the schema as JSON to edit."""
    address: str | None = None
    overwrite: bool = False


def run_inspection(request: InspectRequest, reporter: Reporter) -> None:
    """Show what the table is taken for, and write its schema where that is asked for.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    if request.out is not None and not request.overwrite and exists(request.out):
        raise OutputError(f"{request.out} exists; choose another --out, or add --overwrite")
    with reading(request.table, request, request.address, reporter) as source:
        request.check(source)
        with reporter.stage("sketch") as stage:
            sketch, source = source.sketch(
                request.columns(source), stage, skip_bad_files=request.skip_bad_files
            )
    schema = request.inferred(source, sketch)
    show(source, schema, sketch, Console(width=_width()))
    for note in source.notes:
        reporter.warn(note)
    tell_skipped(source, reporter)
    if request.out is not None:
        text = json.dumps(schema.editable(), indent=1, ensure_ascii=False) + "\n"
        write_bytes(request.out, text.encode())
        reporter.note(f"edit {request.out}, and give it to gtcoder train with --schema")


def show(source: Source, schema: Schema, sketch: TableSketch, console: Console) -> None:
    """Print what the table is taken for; no value of it."""
    for line in source.described:
        console.print(escape(line), highlight=False)
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
