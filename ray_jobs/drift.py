"""Whether a table's rows are still of the kind that a bundle has learned, column by column.

Only the table is read, once, as `inspect` reads it: what the bundle knows is in the bundle. Some
rows are scored by its model too, which sees what columns say of one another.
"""

import json
from dataclasses import dataclass
from typing import Any

import rich.box
import rich.table
from rich.console import Console
from rich.markup import escape

from gtcoder.bundle import Bundle
from gtcoder.codec.drift import THRESHOLD, ColumnDrift, drift_of
from gtcoder.errors import ConfigError, TableError
from gtcoder.learned import wrong_columns
from gtcoder.likelihood import ROWS, Familiarity, RowDrift, negative_elbo
from gtcoder.progress import Reporter
from ray_jobs.sources.find import reading
from ray_jobs.sources.options import ReadOptions
from ray_jobs.sources.source import Source, tell_skipped


@dataclass(frozen=True, kw_only=True)
class DriftRequest(ReadOptions):
    """What the user asked for."""

    table: str
    bundle: str
    threshold: float = THRESHOLD
    json: bool = False
    """Whether to print one JSON object instead of a table."""
    address: str | None = None

    def __post_init__(self) -> None:
        ReadOptions.__post_init__(self)
        if not 0 < self.threshold < 1:
            raise ConfigError(f"--threshold must be between 0 and 1, not {self.threshold}")


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
    with reading(request.table, request, request.address, reporter) as source:
        report = compare(bundle, source, request, reporter)
    if request.json:
        reporter.result(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        show(report, Console(width=None if Console().is_terminal else 200))
    return report.drifted


def compare(
    bundle: Bundle, source: Source, request: DriftRequest, reporter: Reporter
) -> DriftReport:
    """The drift of a table: of each column by its sketch, of whole rows by some of them.

    Raises:
        GTCoderError: the table cannot be read, or no column of it is to be compared.
    """
    left_out, known = set(request.exclude), bundle.schema.names
    wrong = wrong_columns(bundle.schema, source.schema)
    names = [name for name in known if name not in left_out and name not in wrong]
    if not names:
        raise TableError(f"{source.uri} has no column of the bundle that is to be compared")
    with reporter.stage("sketch") as stage:
        sketch, source = source.sketch(
            names, stage, skip_bad_files=request.skip_bad_files, look=bundle.codec.sketch
        )
    tell_skipped(source, reporter)
    whole_rows = None
    if names == known:
        with reporter.stage("score"):
            whole_rows = _whole_rows(bundle, source, sketch.rows)
    columns = drift_of(bundle.codec, sketch, int(bundle.info["rows"]))
    return DriftReport(
        rows=sketch.rows,
        known_rows=int(bundle.info["rows"]),
        threshold=request.threshold,
        columns=tuple(sorted(columns, key=lambda each: (-each.drift, -each.distance))),
        wrong=tuple(line for name, line in wrong.items() if name not in left_out),
        added=tuple(n for n in source.schema.names if n not in known and n not in left_out),
        whole_rows=whole_rows,
    )


def _whole_rows(bundle: Bundle, source: Source, rows: int) -> RowDrift | None:
    """How well the model knows some of the rows, against those held out of its training."""
    known = Familiarity.from_dict(bundle.info.get("familiarity", {}))
    if not known.rows:
        return None
    some = source.some(bundle.schema.names, min(1.0, ROWS / rows))
    return known.drift(negative_elbo(bundle.model(), bundle.codec.encode(some)))


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
