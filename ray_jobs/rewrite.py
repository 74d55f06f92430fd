"""Jobs that write a row for every row of a table: its gaps filled, or its scores beside it.

Each piece of the table becomes a file, whole or not at all, that says in its footer what it is; so
the same command goes on where it was stopped, to the same bytes.
"""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from hashlib import sha256
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError, OutputError, TableError
from gtcoder.learned import Learned
from gtcoder.progress import Reporter, counted
from gtcoder.sampling.complete import Completer
from gtcoder.sampling.draw import Drawer
from gtcoder.score import scores
from gtcoder.table.files import (
    absolute,
    exists,
    join,
    list_files,
    open_read,
    open_write,
    read_bytes,
    remove,
    write_bytes,
)
from gtcoder.table.table import Piece, Table, coalesced
from ray_jobs.folder import MANIFEST
from ray_jobs.owner import is_owners, owned
from ray_jobs.sources.find import reading
from ray_jobs.sources.located import LocatedTable
from ray_jobs.sources.options import ReadOptions
from ray_jobs.sources.source import tell, tell_skipped
from ray_jobs.stopping import leaving

REQUEST = "_request.json"
LEAST = 10
"""So many of the least likely rows are named."""
_KEY = b"gtcoder"
_PIECE_BITS, _DRAW_BITS = 36, 58
"""Where in a row's number its piece and its draw stand."""
_MOST_DRAWS = 20


@dataclass(frozen=True, kw_only=True)
class RewriteRequest(ReadOptions):
    """What the user asked for."""

    table: str
    bundle: str
    out: str
    address: str | None = None
    score: bool = False
    """Whether rows are scored rather than completed."""
    columns: Sequence[str] = ()
    """That are drawn whole."""
    seed: int = 0
    draws: int = 1
    """Of each row."""

    def __post_init__(self) -> None:
        ReadOptions.__post_init__(self)
        if self.seed < 0:
            raise ConfigError(f"--seed must not be negative, but is {self.seed}")
        if not 1 <= self.draws <= _MOST_DRAWS:
            raise ConfigError(f"--n must be from 1 to {_MOST_DRAWS}, not {self.draws}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewriting:
    """What a task does with a piece, wherever it runs."""

    bundle: str
    checksum: str
    table: str
    """The table's fingerprint."""
    folder: str
    score: bool
    columns: tuple[str, ...]
    seed: int
    draws: int

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the files."""
        named = ("checksum", "table", "score", "columns", "seed", "draws")
        plain = {name: getattr(self, name) for name in named}
        return plain | {"columns": list(self.columns)}

    def path(self, piece: int) -> str:
        """Where a piece's rows go."""
        return join(self.folder, f"part-{piece:06d}.parquet")

    def fingerprint(self, piece: int) -> str:
        """What the file of a piece says it is."""
        return sha256(json.dumps([self.identity, piece]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Written:
    """What has been written of some pieces."""

    files: tuple[str, ...] = ()
    rows: int = 0
    filled: int = 0
    broken: int = 0
    least: tuple[tuple[float, str], ...] = field(default=())
    """The least likely rows, and what is odd about each."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All of several."""
        return cls(
            files=tuple(name for part in parts for name in part.files),
            rows=sum(part.rows for part in parts),
            filled=sum(part.filled for part in parts),
            broken=sum(part.broken for part in parts),
            least=tuple(heapq.nsmallest(LEAST, (one for part in parts for one in part.least))),
        )


def run_rewrite(request: RewriteRequest, reporter: Reporter) -> None:
    """Complete or score the rows of a table.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    bundle, done = Bundle.load(request.bundle), "scored" if request.score else "completed"
    with reading(request.table, request, request.address, reporter) as source:
        if not isinstance(source, LocatedTable):
            raise TableError(f"{source.uri}: expected files of Parquet or CSV; export it first")
        tell(source, reporter)
        tell_skipped(source, reporter)
        _check(request, bundle, source)
        job = Rewriting(
            bundle=absolute(request.bundle),
            checksum=bundle.checksum,
            table=source.fingerprint,
            folder=absolute(request.out),
            score=request.score,
            columns=tuple(request.columns),
            seed=request.seed,
            draws=request.draws,
        )
        again = f"{request.out} keeps the files that are whole, the same command goes on"
        with owned(job.folder, done, reporter), leaving(lambda: again):
            _claim(job)
            with reporter.stage(done) as stage:
                written = source.each_piece(partial(_write, job=job), Written.joined, stage)
            _finish(job, written)
    for _, line in sorted(written.least):
        reporter.result(line)
    if written.broken:
        reporter.warn(
            f"in {written.broken:,} rows a cell was drawn that does not go with those there by a "
            "rule"
        )
    files, seconds = counted(len(written.files), "file"), reporter.seconds[done]
    told = "" if request.score else f", {written.filled:,} cells drawn"
    reporter.result(
        f"{written.rows:,} rows {done}{told}, {files} at {written.rows / max(seconds, 1e-3):,.0f} "
        f"rows/s; {request.out}"
    )


def _check(request: RewriteRequest, bundle: Bundle, source: LocatedTable) -> None:
    """See, before a row is read, that the table is of the bundle's kind.

    Raises:
        SchemaError: a column has another type, or is missing where it is needed.
        TableError: a column that is named is not known, or one has a name that scores take.
    """
    names = bundle.schema.names
    there = [name for name in names if request.score or name in source.schema.names]
    if not there:
        raise TableError(f"{source.uri} has no column of the bundle: {', '.join(names[:10])}")
    Learned(bundle).check(source.schema, there)
    if unknown := next((name for name in request.columns if name not in names), None):
        raise TableError(f"--columns: expected some of {', '.join(names)}; found {unknown!r}")
    taken = {*_SCORES} if request.score else {"draw"} if request.draws > 1 else set()
    if odd := taken & {*source.schema.names}:
        raise TableError(f"{source.uri} has a column {min(odd)!r}, which is written beside it")


_SCORES = ("log_likelihood", "standard_error", "most_surprising", "excess")


def _claim(job: Rewriting) -> None:
    """Make the folder this request's own.

    Raises:
        OutputError: something else is there.
    """
    names = [name for name in list_files(job.folder) if not is_owners(name)]
    index = next((name for name in (MANIFEST, REQUEST) if name in names), None)
    said = json.loads(read_bytes(join(job.folder, index))) if index else {}
    if names and any(said.get(key) != value for key, value in job.identity.items()):
        raise OutputError(
            f"{job.folder} holds other files, or those of another request; choose another --out"
        )
    write_bytes(join(job.folder, REQUEST), (json.dumps(job.identity) + "\n").encode())


def _finish(job: Rewriting, written: Written) -> None:
    """Say that all is there."""
    missing = next((n for n in written.files if not exists(join(job.folder, n))), None)
    if missing is not None:
        raise OutputError(
            f"{job.folder} lacks {missing}, which a worker wrote; give --out a place that all "
            "machines share, such as s3://"
        )
    told = {"rows": written.rows, "filled": written.filled, "broken": written.broken}
    plain = job.identity | told | {"files": sorted(written.files)}
    write_bytes(join(job.folder, MANIFEST), (json.dumps(plain, indent=1) + "\n").encode())
    remove(join(job.folder, REQUEST))


def _write(shares: Sequence[tuple[Table, Piece]], job: Rewriting) -> Written:
    """The files of some pieces, but for those that are there."""
    return Written.joined(
        [_before(job, piece.index) or _file(job, table, piece) for table, piece in shares]
    )


def _before(job: Rewriting, piece: int) -> Written | None:
    """What an earlier run has written of a piece."""
    try:
        with open_read(job.path(piece)) as file:
            said = (pq.read_metadata(file).metadata or {}).get(_KEY, b"{}")
    except (FileNotFoundError, pa.ArrowException):
        return None
    plain: Mapping[str, Any] = json.loads(said)
    if plain.get("fingerprint") != job.fingerprint(piece):
        return None
    found = {name: plain[name] for name in ("rows", "filled", "broken")}
    least = tuple((float(at), str(line)) for at, line in plain["least"])
    return Written(files=(_name(job, piece),), least=least, **found)


def _file(job: Rewriting, table: Table, piece: Piece) -> Written:
    """Write the file of a piece."""
    rewriter = _rewriter(job.bundle, job.checksum)
    parts, first = [Written()], 0
    with open_write(job.path(piece.index)) as file:
        parquet = None
        for batch in coalesced(table.batches(table.schema.names, piece=piece)):
            for rows, part in rewriter.rows(batch, job, piece.index, first):
                parquet = parquet or pq.ParquetWriter(file, rows.schema, compression="zstd")
                parquet.write_table(rows)
                parts.append(part)
            first += len(batch)
        if parquet is None:  # a piece without rows
            rows = rewriter.nothing(table.schema, job)
            parquet = pq.ParquetWriter(file, rows.schema, compression="zstd")
        whole = Written.joined(parts)
        said = {"fingerprint": job.fingerprint(piece.index), "rows": whole.rows}
        said |= {"filled": whole.filled, "broken": whole.broken, "least": whole.least}
        parquet.add_key_value_metadata({_KEY: json.dumps(said).encode()})
        parquet.close()
    return replace(whole, files=(_name(job, piece.index),))


def _name(job: Rewriting, piece: int) -> str:
    return job.path(piece).rpartition("/")[2]


@lru_cache(1)
def _rewriter(uri: str, checksum: str) -> "_Rewriter":
    return _Rewriter(Bundle.load(uri, checksum))


class _Rewriter:
    """A bundle, and what it makes of rows."""

    def __init__(self, bundle: Bundle) -> None:
        self.codec, self.model = bundle.codec, bundle.model()

    @cached_property
    def completer(self) -> Completer:
        """What completes rows."""
        return Completer(Drawer(self.model, self.codec.layout), self.codec)

    def rows(
        self, batch: pa.Table, job: Rewriting, piece: int, first: int
    ) -> Iterator[tuple[pa.Table, Written]]:
        """What becomes of some rows of a piece, from the first so many on."""
        if job.score:
            yield self._scored(batch, f"part-{piece:06d}", first)
            return
        completer = self.completer
        for draw in range(job.draws):
            number = (draw << _DRAW_BITS) + (piece << _PIECE_BITS) + first
            done = completer.complete(batch, seed=job.seed, start=number, columns=job.columns)
            rows = _in_place(batch, done.table)
            if job.draws > 1:
                rows = rows.append_column("draw", pa.array([draw] * len(rows), pa.int32()))
            yield rows, Written(rows=len(rows), filled=done.filled, broken=done.broken)

    def nothing(self, schema: pa.Schema, job: Rewriting) -> pa.Table:
        """No rows, as they would be."""
        return next(self.rows(schema.empty_table(), job, 0, 0))[0]

    def _scored(self, batch: pa.Table, name: str, first: int) -> tuple[pa.Table, Written]:
        found = scores(self.model, self.codec.layout, self.codec.encode(batch))
        rows = batch
        kinds = (pa.float64(), pa.float64(), pa.string(), pa.float32())
        for column, kind in zip(_SCORES, kinds, strict=True):
            rows = rows.append_column(column, pa.array(found[column], kind, from_pandas=True))
        least = []
        for at, row in found.nsmallest(LEAST, "log_likelihood").iterrows():
            line = f"{row['log_likelihood']:9.2f} nats  {name} row {first + at}"
            surprising = row["most_surprising"]
            if surprising is not None:
                named = [each for each in str(surprising).split(", ") if each in batch.column_names]
                value = ", ".join(str(batch[each][at].as_py()) for each in named)
                line += f"  {surprising}{' = ' if named else ''}{value} ({row['excess']:+.1f})"
            least.append((float(row["log_likelihood"]), line))
        return rows, Written(rows=len(rows), least=tuple(least))


def _in_place(batch: pa.Table, done: pa.Table) -> pa.Table:
    """The rows with their completed columns in the places and types of what they had."""
    arrays, fields = [], []
    for given in batch.schema:
        if given.name in done.column_names:
            arrays.append(done[given.name].cast(given.type))
        else:
            arrays.append(batch[given.name])
        fields.append(given)
    for added in done.schema:
        if added.name not in batch.column_names:
            arrays.append(done[added.name])
            fields.append(added)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
