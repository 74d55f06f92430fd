"""A table of files as the source of a training: pieces of it in tasks, bad files left out.

What is encoded of a piece is complete once a marker stands beside it, so a pass that was
interrupted goes on where it stopped.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa

from gtcoder.errors import TableError, UnreachableError
from gtcoder.progress import Stage, counted
from gtcoder.rules.rule import Rule
from gtcoder.rules.tally import Tally, all_merged, tallied
from gtcoder.seeds import Purpose, generator
from gtcoder.sketch.table import TableSketch
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.files import join, read_bytes, write_bytes
from gtcoder.table.locate import each_by_threads, locate
from gtcoder.table.table import Piece, Table, coalesced
from gtcoder.training.rows.parts import Written, written_before
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.passes import Merge, each_path, folded
from ray_jobs.sources.encoding import Encoding
from ray_jobs.sources.named import NamedTable
from ray_jobs.sources.options import ReadOptions
from ray_jobs.sources.source import Look
from ray_jobs.sources.threads import folded_here

_PIECES = 16
"""So many pieces give a sample of the rows."""
T = TypeVar("T")
_Share = tuple[Table, Piece]
_Sketched = tuple[TableSketch | None, dict[str, str]]


@dataclass(frozen=True)
class LocatedTable:
    """Files that `locate` found."""

    table: Table
    fold: Callable[..., Any] = folded_here
    """How a pass over its pieces is made: by threads of this process, or in a cluster's tasks."""

    def on(self, cluster: Cluster) -> Self:
        """The same, read by the tasks of a cluster."""
        return replace(self, fold=partial(folded, cluster=cluster))

    @property
    def uri(self) -> str:
        """Where they are."""
        return self.table.uri

    @property
    def schema(self) -> pa.Schema:
        """Of all columns."""
        return self.table.schema

    @property
    def fingerprint(self) -> str:
        """Changes when a file, its place or the schema does."""
        return self.table.fingerprint

    @property
    def described(self) -> list[str]:
        """What is there, and how CSV is read."""
        table = self.table
        files = counted(len(table.files), f"{table.format} file")
        lines = [f"{table.uri}: {table.rows:,} rows, {files}"]
        return lines if table.csv is None else [*lines, f"read as --csv '{table.csv}'"]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how columns of CSV files are read."""
        return self.table.notes

    @property
    def skipped(self) -> Mapping[str, str]:
        """Files that are left out, and why."""
        return self.table.skipped

    @property
    def info(self) -> dict[str, Any]:
        """What a bundle remembers of it."""
        return {"skipped_files": len(self.table.skipped), "csv": str(self.table.csv or "")}

    def typed(self, schema: pa.Schema) -> Self:
        """The same columns in other types."""
        return replace(self, table=replace(self.table, schema=schema))

    def left_out(self, exclude: Iterable[str]) -> list[str]:
        """The columns of the schema that are excluded."""
        return self.table.left_out(exclude)

    def less(self, skipped: Mapping[str, str]) -> Self:
        """The table without some files: path to what is wrong with them."""
        return replace(self, table=self.table.without(skipped))

    def sketch(
        self,
        columns: Sequence[str],
        stage: Stage,
        *,
        skip_bad_files: bool = False,
        look: Look = TableSketch.of,
    ) -> tuple[TableSketch, Self]:
        """The sketch of some columns of all rows, and the table that was sketched.

        A file that turns out to be damaged within is left out if that is wanted. Rows cannot be
        taken out of a sketch, so what is left of the table is then sketched anew.
        """
        work = partial(_sketch, columns=list(columns), skip=skip_bad_files, look=look)
        sketch, bad = self.fold(self._shares(), work, _both, rows=_rows, stage=stage)
        if bad:
            return self.less(bad).sketch(columns, stage, skip_bad_files=skip_bad_files, look=look)
        assert sketch is not None, "a table has rows"
        return sketch, self

    def tally(self, rules: Sequence[Rule], stage: Stage) -> list[Tally]:
        """How many of all rows keep each rule."""
        work = partial(_tally, rules=rules)
        found: list[Tally] = self.fold(self._shares(), work, all_merged, rows=_rows, stage=stage)
        return found

    def some(self, columns: Sequence[str], share: float) -> pa.Table:
        """About a share of the rows, of some pieces from all over the table, in memory."""
        rng, pieces = generator(0, Purpose.SAMPLE), self.table.pieces()
        total = sum(piece.rows for piece in pieces)
        if len(pieces) > _PIECES:
            pieces = [pieces[at] for at in sorted(rng.choice(len(pieces), _PIECES, replace=False))]
        share = min(1.0, share * total / sum(piece.rows for piece in pieces))
        parts = []
        for piece in pieces:
            for batch in self.table.batches(columns, piece=piece):
                count = math.ceil(share * len(batch))
                parts.append(batch.take(np.sort(rng.choice(len(batch), count, replace=False))))
        return pa.concat_tables(parts).unify_dictionaries()

    def encode(self, job: Encoding, stage: Stage) -> Written:
        """Encode all pieces but those that are there already."""
        work = partial(_encode, job=job)
        written: Written = self.fold(self._shares(), work, Written.joined, rows=_rows, stage=stage)
        return written

    def each_piece(
        self,
        pieces: Sequence[Piece],
        work: Callable[[list[_Share]], T],
        merge: Merge[T],
        stage: Stage,
    ) -> T:
        """What work makes of runs of some pieces, put together in their order."""
        shares = [self.table.share(piece) for piece in pieces]
        found: T = self.fold(shares, work, merge, rows=_rows, stage=stage)
        return found

    def _shares(self) -> list[_Share]:
        return [self.table.share(piece) for piece in self.table.pieces()]


def located(
    uri: str, options: ReadOptions, cluster: Cluster | None, named: NamedTable | None = None
) -> LocatedTable:
    """Find a table's files, looked at by threads here, or by tasks of a cluster of machines.

    Raises:
        TableError: see `locate`, and `NamedTable.files`.
    """
    by_tasks = cluster is not None and not cluster.local
    each = partial(each_path, cluster=cluster) if by_tasks else each_by_threads
    if named is not None:
        source = LocatedTable(named.files(each))
    else:
        table = locate(
            uri,
            skip_bad_files=options.skip_bad_files,
            csv=_with_text(options),
            exclude=options.exclude,
            each=each,
        )
        source = LocatedTable(table)
    return source if cluster is None else source.on(cluster)


def _with_text(options: ReadOptions) -> CsvFormat | None:
    """How CSV is written, with the columns that the schema calls text: as numbers they lose 0s."""
    settings = options.schema.get("columns")
    named = [
        name
        for name, setting in (settings.items() if isinstance(settings, Mapping) else ())
        if isinstance(setting, Mapping) and setting.get("type") == "string"
    ]
    if not named:
        return options.csv
    said = options.csv or CsvFormat()
    return replace(said, text=tuple(dict.fromkeys((*said.text, *named))))


def _rows(share: _Share) -> int:
    return share[1].rows


def _sketch(shares: Sequence[_Share], columns: Sequence[str], skip: bool, look: Look) -> _Sketched:
    """The sketch of some pieces, with the files in them that are bad: path to why."""
    merged: TableSketch | None = None
    bad: dict[str, str] = {}
    for batch in coalesced(_readable(shares, columns, skip, bad)):
        sketch = look(batch)
        merged = sketch if merged is None else merged.merge(sketch)
    return merged, bad


def _tally(shares: Sequence[_Share], rules: Sequence[Rule]) -> list[Tally]:
    """How many rows of some pieces keep each rule."""
    columns = list(dict.fromkeys(name for rule in rules for name in rule.columns))
    batches = (batch for table, piece in shares for batch in table.batches(columns, piece=piece))
    return all_merged([tallied(rules, batch) for batch in coalesced(batches)])


def _readable(
    shares: Sequence[_Share], columns: Sequence[str], skip: bool, bad: dict[str, str]
) -> Iterator[pa.Table]:
    """The rows of some pieces; what is wrong with a file is kept in `bad` where it is skipped."""
    for table, part in ((table, part) for table, piece in shares for part in piece.slices):
        try:
            yield from table.batches(columns, piece=Piece(0, (part,), 0))
        except TableError as error:
            if not skip or isinstance(error, UnreachableError):  # it was there a moment ago
                raise
            bad[table.files[part.file].path] = str(error)


def _both(each: Sequence[_Sketched]) -> _Sketched:
    """Results of neighbouring tasks together; no sketch is needed where a file is bad."""
    bad = {path: why for _, found in each for path, why in found.items()}
    sketches = [sketch for sketch, _ in each if sketch is not None]
    if bad or not sketches:
        return None, bad
    return TableSketch.joined(sketches), {}


def _encode(shares: Sequence[_Share], job: Encoding) -> Written:
    codec = job.codec()
    layout = codec.layout
    written = []
    for table, piece in shares:
        name = f"{piece.index:06d}"
        marker = join(job.folder, f"piece-{name}.json")
        try:
            lines = json.loads(read_bytes(marker))
        except FileNotFoundError:
            batches = coalesced(table.batches(codec.schema.names, piece=piece))
            written.append(job.write(codec, batches, name))
            write_bytes(marker, json.dumps(written[-1].lines).encode())
        else:
            shares_of = job.shares(layout)
            written += [written_before(job.folder, line, layout, shares_of) for line in lines]
    return Written.joined(written)
