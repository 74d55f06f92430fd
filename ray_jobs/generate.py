"""The generation job: shards of one endless stream, each written whole by one actor.

A shard's rows follow from (bundle, seed, conditions, row range), never from who writes it. A shard
that is there and says it is the one asked for is kept, so a rerun ends with the same files.
"""

import dataclasses
import runpy
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError, OutputError
from gtcoder.progress import Reporter, counted, peak_bytes
from gtcoder.sampling.sample import Sampler
from gtcoder.table.files import absolute, exists
from gtcoder.training.options import device_named
from gtcoder.where.constraint import constraints
from ray_jobs.cluster.answers import answered, opened
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.connection import connected, data_context
from ray_jobs.cluster.pool import pool
from ray_jobs.cluster.waiting import WAIT_S, wait_for
from ray_jobs.dataset.sampled import sample
from ray_jobs.output import Output
from ray_jobs.owner import owned
from ray_jobs.shards import FileFormat, Shard, Stream, write_shard
from ray_jobs.sources.named import TABLES, NamedTable, named_table
from ray_jobs.sources.stored import changes, stored
from ray_jobs.stopping import GOES_ON, leaving

_LEAST_ROWS, _MOST_ROWS, _FILES = 50_000, 1_000_000, 8
"""By default about 8 files, none under 50,000 rows, but of at most 1,000,000 rows each."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class GenerateRequest:
    """What the user asked for."""

    bundle: str
    rows: int
    out: str
    seed: int = 0
    rows_per_file: int | None = None
    where: Sequence[str] = ()
    format: str | None = None
    """`parquet`, `csv`, `jsonl`, `delta` or `iceberg`; by what `out` says, else Parquet."""
    checksum: str | None = None
    """Of the bundle meant; of any, if not given."""
    num_workers: int | None = None
    """At most; by default as many as there are files."""
    use_gpu: bool = False
    """Draw on a GPU for each worker rather than on a CPU."""
    address: str | None = None
    wait_s: float = WAIT_S
    """How long a machine may take to come."""
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name in ("rows", "rows_per_file", "num_workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
        if self.seed < 0:
            raise ConfigError(f"--seed must not be negative, but is {self.seed}")
        if self.format not in (None, *FileFormat, *TABLES):
            known = ", ".join([*FileFormat, *TABLES])
            raise ConfigError(f"--format {self.format}: expected {known}")
        if self.table is None and self.is_file:
            self._agrees(FileFormat.of(self.out))
        if self.table is not None:
            self._agrees(self.table.kind)
            if self.rows_per_file is not None:
                raise ConfigError(f"--rows-per-file: a {self.table.uri} decides its files itself")

    def _agrees(self, form: str) -> None:
        if self.format not in (None, form):
            raise ConfigError(
                f"--format {self.format} and --out {self.out} say different things; give one"
            )

    @property
    def table(self) -> NamedTable | None:
        """The Delta or Iceberg table to write, if it is one rather than files."""
        return named_table(self.out) or named_table(
            f"{self.format}:{self.out}" if self.format in TABLES else ""
        )

    @property
    def device(self) -> str:
        """What rows are drawn on, as torch calls it."""
        return "cuda" if self.use_gpu else "cpu"

    @property
    def resources(self) -> dict[str, float]:
        """What each worker asks for, as Ray writes it."""
        return {"GPU": 1.0} if self.use_gpu else {"CPU": 1.0}

    @property
    def is_file(self) -> bool:
        """Whether one file is asked for, by the ending of its name, rather than a folder."""
        return self.out.lower().endswith(tuple(f".{each}" for each in FileFormat))

    @property
    def shard_rows(self) -> int:
        """Rows of every file but the last."""
        if self.rows_per_file is not None:
            return self.rows_per_file
        return min(max(-(-self.rows // _FILES), _LEAST_ROWS), _MOST_ROWS)

    def output(self, bundle: Bundle) -> Output:
        """Where the rows go, and all that decides the files."""
        return Output(
            folder=absolute(self.out),
            bundle=bundle.checksum,
            rows=self.rows,
            rows_per_file=self.shard_rows,
            seed=self.seed,
            where=self.where,
            device=self.device,
            format=FileFormat(self.format or FileFormat.PARQUET),
        )


def run_generation(request: GenerateRequest, reporter: Reporter) -> None:
    """Write the rows asked for.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    bundle = Bundle.load(request.bundle, request.checksum)
    asked = constraints(bundle.codec, list(request.where))
    stream = Stream(
        bundle=absolute(request.bundle),
        checksum=bundle.checksum,
        seed=request.seed,
        where=tuple(sorted(request.where)),
        csv=str(bundle.info.get("csv") or ""),
        device=request.device,
    )
    sampler = None
    if request.is_file and request.table is None:
        sampler = _sampler(bundle, stream)
    elif asked.fields:
        sampler = Sampler(bundle.model(), bundle.codec, asked)
    warning = sampler.plan.warning if sampler is not None else ""
    if warning:
        reporter.warn(warning)
    if request.table is not None:
        _write_table(request, bundle, request.table, reporter)
        return
    if request.is_file:
        assert sampler is not None
        _write_file(request, sampler, stream, reporter)
        return
    _write_folder(request, request.output(bundle), stream, reporter, warning)


def _write_folder(
    request: GenerateRequest, output: Output, stream: Stream, reporter: Reporter, warning: str
) -> None:
    """Write the files of a folder that are not there yet, then its manifest with a warning."""
    with (
        owned(output.folder, "generation", reporter) as hold,
        leaving(lambda: "" if hold.lost else f"{output.progress}; {GOES_ON}"),
    ):
        todo = output.claim(stream, overwrite=request.overwrite)
        there = len(output.shards) - len(todo)
        if there:
            reporter.note(f"{there:,} of {len(output.shards):,} files are there already")
        if todo:
            _write(request, stream, todo, reporter)
        output.tidy()  # after machines that were lost meanwhile
        if todo:
            output.see_whole()
        output.finish(warning)
    rows, seconds = sum(shard.rows for shard in todo), reporter.seconds.get("generate", 0.0)
    files = counted(len(output.shards), "file")
    reporter.result(
        f"{request.rows:,} rows in {files}, {rows:,} of them written now"
        + (f" at {rows / seconds:,.0f} rows/s; {reporter.stages()}" if seconds else "")
        + f"; peak memory {max(reporter.peak_bytes, peak_bytes()) / 1e6:,.0f} MB; {request.out}"
    )


def _write_file(
    request: GenerateRequest, sampler: Sampler, stream: Stream, reporter: Reporter
) -> None:
    """Write all rows into one file, in this process: a file has one writer, so no Ray is needed.

    Raises:
        OutputError: something is there, and `overwrite` is not set.
    """
    shard = Shard(absolute(request.out), 0, request.rows)
    folder, _, name = shard.uri.rpartition("/")
    with (
        owned(shard.uri, "generation", reporter, file=f"{folder}/.{name}.owner"),
        leaving(lambda: f"{request.out} is not written, the same command begins anew"),
    ):
        if exists(shard.uri) and not request.overwrite:
            raise OutputError(f"{request.out} exists; choose another --out, or add --overwrite")
        with reporter.stage("generate"):
            try:
                write_shard(shard, stream, sampler)
            except OSError as error:
                raise OutputError(str(error)) from error
    seconds = reporter.seconds["generate"]
    reporter.result(
        f"{request.rows:,} rows in 1 file at {request.rows / max(seconds, 1e-3):,.0f} rows/s; "
        f"{request.out}"
    )


def _write_table(
    request: GenerateRequest, bundle: Bundle, table: NamedTable, reporter: Reporter
) -> None:
    """Write all rows as the one new version of a table: interrupted, it leaves the table as it was.

    Raises:
        OutputError: there is such a table, and `overwrite` is not set.
    """
    table.check(overwrite=request.overwrite)
    schema = bundle.codec.schema.arrow
    wanted = stored(schema, table.kind)
    if changed := changes(schema, wanted):
        reporter.warn(f"{table.kind} tables lack some types, so they get {changed}")
    with (
        connected(request.address) as cluster,
        leaving(lambda: f"{table.uri} is as it was, the same command begins anew"),
    ):
        import ray.data

        wait_for(cluster, request.resources, reporter, wait_s=request.wait_s)
        with (
            reporter.stage("generate"),
            ray.data.DataContext.current(data_context()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", UserWarning)  # it is told already
            rows = sample(
                bundle,
                request.rows,
                where=request.where,
                seed=request.seed,
                num_workers=request.num_workers,
                schema=wanted,
                use_gpu=request.use_gpu,
            )
            table.write(rows, wanted)
    seconds = reporter.seconds["generate"]
    reporter.result(
        f"{request.rows:,} rows at {request.rows / max(seconds, 1e-3):,.0f} rows/s; {table.uri}"
    )


def _write(
    request: GenerateRequest, stream: Stream, todo: Sequence[Shard], reporter: Reporter
) -> None:
    """Write shards with a pool of actors, each of which loads the bundle once."""
    with ExitStack() as stack:
        with reporter.stage("start"):
            cluster = stack.enter_context(connected(request.address, goes_on=GOES_ON))
            cluster = wait_for(cluster, request.resources, reporter, wait_s=request.wait_s)
        with reporter.stage("generate") as stage:
            total, done = sum(shard.rows for shard in todo), 0
            for row in _answers(request, stream, todo, cluster):
                opened(row, stage)
                done += row["rows"]
                stage.rows(done, total)


def _answers(
    request: GenerateRequest, stream: Stream, todo: Sequence[Shard], cluster: Cluster
) -> Iterator[Any]:
    import ray.data

    with ray.data.DataContext.current(data_context()):
        numbers = ray.data.from_items(
            [{"number": number} for number in range(len(todo))], override_num_blocks=len(todo)
        )
        answers = numbers.map_batches(
            ShardWriter,
            fn_constructor_kwargs={"stream": stream, "shards": list(todo)},
            batch_size=None,
            batch_format="pyarrow",
            compute=pool(cluster, len(todo), request.num_workers),
            num_cpus=request.resources.get("CPU", 0),
            num_gpus=request.resources.get("GPU", 0),
        )
        yield from answers.iter_rows()


class ShardWriter:
    """An actor of the pool: loads the bundle once, then writes shard after shard."""

    def __init__(self, stream: Stream, shards: Sequence[Shard]) -> None:
        import torch

        torch.set_num_threads(1)
        self.stream, self.shards = stream, shards
        self.sampler: Sampler | None = None

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Write the shards of the numbers in a batch."""
        shards = [self.shards[number] for number in batch["number"].to_pylist()]
        return answered(lambda: self._write(shards), rows=sum(shard.rows for shard in shards))

    def _write(self, shards: Sequence[Shard]) -> bytes:
        sampler = self._sampler()
        for shard in shards:
            write_shard(shard, self.stream, sampler)
        return b""

    def _sampler(self) -> Sampler:
        if self.sampler is None:
            bundle = Bundle.load(self.stream.bundle, self.stream.checksum)
            self.sampler = _sampler(bundle, self.stream)
        return self.sampler


def _sampler(bundle: Bundle, stream: Stream) -> Sampler:
    asked = constraints(bundle.codec, list(stream.where))
    device_named(stream.device)
    return Sampler(bundle.model(), bundle.codec, asked, device=stream.device)


if __name__ == "__main__":  # python -m ray_jobs.generate is gtcoder generate
    sys.argv[:1] = ["gtcoder", "generate"]
    runpy.run_module("ray_jobs.cli", run_name="__main__")
