"""Whether a table's rows are still of the kind that a bundle has learned, column by column.

Only the table is read, once, as `inspect` reads it: what the bundle knows is in the bundle. Some
rows are scored by its model too, which sees what columns say of one another.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import rich.box
import rich.table
from rich.console import Console
from rich.markup import escape

from gtcoder.bundle import Bundle
from gtcoder.codec.drift import THRESHOLD, ColumnDrift, drift_of
from gtcoder.errors import ConfigError, TableError
from gtcoder.learned import fitting
from gtcoder.likelihood import ROWS, Familiarity, RowDrift, negative_elbo
from gtcoder.progress import Reporter
from gtcoder.seeds import Purpose, generator
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.locate import locate
from gtcoder.table.table import Table
from ray_jobs.sketch import sketched

_PIECES = 16
"""So many pieces of the table give the rows that are scored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftRequest:
    """What the user asked for."""

    table: str
    bundle: str
    threshold: float = THRESHOLD
    json: bool = False
    """Whether to print one JSON object instead of a table."""
    exclude: Sequence[str] = ()
    """Columns not to compare."""
    csv: CsvFormat | None = None
    """How CSV files are written, where that is not to be guessed."""
    on_bad_file: str = "fail"
    """`fail`, or `skip`: leave out files that are damaged or unlike most."""
    address: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigError(f"--threshold must be between 0 and 1, not {self.threshold}")
        if self.on_bad_file not in ("fail", "skip"):
            raise ConfigError(f"--on-bad-file {self.on_bad_file}: expected fail or skip")


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftReport:
    """How a table differs from what a bundle has learned."""

    rows: int
    known_rows: int
    threshold: float
    columns: tuple[ColumnDrift, ...]
    """The largest drift first."""
    wrong: tuple[str, ...]
    """Columns that are missing or have another type, a line each."""
    added: tuple[str, ...]
    """Columns that the bundle does not have."""
    whole_rows: RowDrift | None
    """By the model; None where it cannot tell."""

    @property
    def drift(self) -> float:
        """The largest of the columns' and that of whole rows; 1 where a column does not fit."""
        found = [column.drift for column in self.columns]
        found += [self.whole_rows.drift] if self.whole_rows else []
        return 1.0 if self.wrong else max(found, default=0.0)

    @property
    def drifted(self) -> bool:
        """Whether it is past the threshold."""
        return self.drift > self.threshold

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        whole = self.whole_rows
        return {
            "rows": self.rows,
            "known_rows": self.known_rows,
            "threshold": self.threshold,
            "drift": round(self.drift, 4),
            "drifted": self.drifted,
            "columns": {
                each.name: {
                    "drift": round(each.drift, 4),
                    "distance": round(each.distance, 4),
                    "chance": round(each.chance, 4),
                    "changed": each.changed,
                    "misfits": {m.what: round(m.rows) for m in each.misfits},
                }
                for each in self.columns
            },
            "whole_rows": whole
            and {
                "drift": round(whole.drift, 4),
                "distance": round(whole.distance, 4),
                "chance": round(whole.chance, 4),
                "nats": round(whole.nats, 4),
            },
            "wrong_columns": list(self.wrong),
            "added_columns": list(self.added),
        }


def run_drift(request: DriftRequest, reporter: Reporter) -> bool:
    """Print how the table differs from what the bundle has learned; whether past the threshold.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    bundle = Bundle.load(request.bundle)
    table = locate(
        request.table,
        skip_bad_files=request.on_bad_file == "skip",
        csv=request.csv,
        exclude=request.exclude,
    )
    if not table.rows:
        raise TableError(f"{table.uri} has no rows to compare")
    report = compare(bundle, table, request, reporter)
    if request.json:
        reporter.result(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        show(report, Console(width=None if Console().is_terminal else 200))
    return report.drifted


def compare(bundle: Bundle, table: Table, request: DriftRequest, reporter: Reporter) -> DriftReport:
    """The drift of a table: of each column by its sketch, of whole rows by some of them."""
    left_out = set(request.exclude)
    added, wrong = fitting(bundle.schema, table.schema)
    wrong = {name: said for name, said in wrong.items() if name not in left_out}
    names = [name for name in bundle.schema.names if name not in left_out and name not in wrong]
    sketch, table = sketched(
        table,
        names,
        request.address,
        reporter,
        skip_bad_files=request.on_bad_file == "skip",
    )
    for why in table.skipped.values():
        reporter.warn(f"skipped: {why}")
    known_rows = int(bundle.info["rows"])
    columns = drift_of(bundle.codec, sketch, known_rows)
    whole_rows = None
    if len(names) == len(bundle.schema.names):
        with reporter.stage("score"):
            whole_rows = _whole_rows(bundle, table)
    return DriftReport(
        rows=sketch.rows,
        known_rows=known_rows,
        threshold=request.threshold,
        columns=tuple(sorted(columns, key=lambda each: (-each.drift, -each.distance))),
        wrong=tuple(wrong.values()),
        added=tuple(name for name in added if name not in left_out),
        whole_rows=whole_rows,
    )


def _whole_rows(bundle: Bundle, table: Table) -> RowDrift | None:
    """How well the model knows some of the rows, against those held out of its training."""
    known = Familiarity.from_dict(bundle.info.get("familiarity", {}))
    if not known.rows:
        return None
    encoded = bundle.codec.encode(_some_rows(table, bundle.schema.names))
    return known.drift(negative_elbo(bundle.model(), encoded))


def _some_rows(table: Table, names: Sequence[str]) -> pa.Table:
    """About `ROWS` rows of pieces from all over the table; all of them where they are fewer."""
    rng, pieces = generator(0, Purpose.SAMPLE), table.pieces()
    if len(pieces) > _PIECES:
        pieces = [pieces[at] for at in sorted(rng.choice(len(pieces), _PIECES, replace=False))]
    share = min(1.0, ROWS / sum(piece.rows for piece in pieces))
    parts = []
    for piece in pieces:
        for batch in table.batches(names, piece=piece):
            count = math.ceil(share * len(batch))
            chosen = np.sort(rng.choice(len(batch), count, replace=False))
            parts.append(batch.take(pa.array(chosen)))
    return pa.concat_tables(parts).unify_dictionaries()


def show(report: DriftReport, console: Console) -> None:
    """Print the drift of every column, the largest first."""
    shown = rich.table.Table(box=rich.box.SIMPLE, pad_edge=False)
    shown.add_column("column", overflow="fold")
    shown.add_column("drift", justify="right")
    shown.add_column("what changed", overflow="fold")
    for line in report.wrong:
        shown.add_row(escape(line), "1.000", "")
    whole = report.whole_rows
    if whole is not None:
        said = f"the middle row is {abs(whole.nats):.2f} nats "
        said += "less likely" if whole.nats > 0 else "likelier"
        shown.add_row("(whole rows)", f"{whole.drift:.3f}", said if whole.drift else "")
    for column in report.columns:
        changed = column.changed if column.drift or column.misfits else ""
        shown.add_row(escape(column.name), f"{column.drift:.3f}", escape(changed))
    console.print(shown)
    for name in report.added:
        console.print(f"column {escape(repr(name))} is not in the bundle", highlight=False)
    if whole is None:
        console.print("whole rows are not compared", highlight=False)
    verdict = "drifted" if report.drifted else "no drift"
    console.print(
        f"{verdict}: {report.drift:.1%} of {report.rows:,} rows would have to be others to be like "
        f"the {report.known_rows:,} learned, beyond what chance explains "
        f"(threshold {report.threshold:.1%})",
        highlight=False,
    )
