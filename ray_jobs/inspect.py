"""What a table is taken for before anything is trained: files, kinds, guesses, what is left out.

It is found as training finds it, from the sketch of all rows. Without `--address` no Ray is
started: pieces of the table are sketched on threads of this process.
"""

import json
from dataclasses import dataclass

import numpy as np
import pyarrow.types as pt
import rich.box
import rich.table
from rich.console import Console
from rich.markup import escape

from gtcoder.errors import OutputError
from gtcoder.progress import Reporter
from gtcoder.rules.found import lines
from gtcoder.rules.learned import FoundRules
from gtcoder.rules.rule import is_near
from gtcoder.schema.schema import Schema
from gtcoder.sketch.column import ColumnSketch
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
        found = request.found(source, schema, sketch, reporter)
    console = Console(width=_width())
    show(source, schema, sketch, console)
    show_rules(found, console)
    positive = [name for name in schema.names if _is_never_negative(sketch.columns[name])]
    if positive:
        console.print(f"never negative: {escape(', '.join(positive))}", highlight=False)
    for note in source.notes:
        reporter.warn(note)
    tell_skipped(source, reporter)
    if request.out is not None:
        plain = schema.with_rules(map(str, found.rules.all)).editable()
        text = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
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


def show_rules(found: FoundRules, console: Console) -> None:
    """Print the rules that all rows keep, and what of them follows from others."""
    told = list(lines(found))
    if told:
        nearly = "; with ~, nearly" if any(map(is_near, found.rules.kept)) else ""
        console.print(f"rules that every row keeps, and every synthetic row will{nearly}:")
    for line in told:
        console.print(f"  {escape(line)}", highlight=False)
    for rule in found.lost:
        console.print(
            f"  {escape(rule)}  (every row keeps it, but it cannot be kept beside the others)",
            highlight=False,
        )


def _is_never_negative(column: ColumnSketch) -> bool:
    """Whether numbers come near 0 and never below."""
    if column.numbers is None or pt.is_temporal(column.type) or not column.present:
        return False
    low, middle = column.numbers.quantiles.at(np.array([0.0, 0.5]))
    return bool(0 <= low <= middle / 2)


def _width() -> int | None:
    """Of the terminal; where there is none, wide enough that no line is broken."""
    return None if Console().is_terminal else 200
