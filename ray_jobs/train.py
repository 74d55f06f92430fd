"""The training job: sketch, schema, codec, encode once, train on any number of workers, bundle."""

import dataclasses
import runpy
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from gtcoder.bundle import check_target
from gtcoder.codec.codec import Codec
from gtcoder.codec.config import MIN_CATEGORY_ROWS, CodecConfig
from gtcoder.config import Config, Preset, coding_for, validation_share
from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter, counted
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.files import join, remove
from gtcoder.table.locate import locate
from gtcoder.table.table import Table
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.rows.parts import read_manifest
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.connection import connected
from ray_jobs.cluster.workers import train_workers, wait_for, wait_free
from ray_jobs.training.fit import fit
from ray_jobs.training.reading import encode_table, load_codec, save_codec, sketch_table
from ray_jobs.training.run_folder import (
    CONFIG,
    SKIPPED,
    begin,
    load_json,
    prepare,
    run_folder,
    save_json,
)
from ray_jobs.training.worker import Outcome

_ENCODED = "encoded"
_GOES_ON = "the same command with --resume goes on where it stopped"
_TOLD = 10
"""So many bad files are named."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest:
    """What the user asked for."""

    table: str
    out: str
    preset: str = "default"
    schema: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Kinds that override the inferred ones."""
    exclude: Sequence[str] = ()
    csv: CsvFormat | None = None
    """How CSV files are written, where that is not to be guessed."""
    epochs: int | None = None
    max_time_s: float | None = None
    num_workers: int | None = None
    use_gpu: bool = False
    seed: int = 0
    validation_fraction: float | None = None
    min_category_rows: int = MIN_CATEGORY_ROWS
    on_bad_file: str = "fail"
    """`fail`, or `skip`: leave out files that are damaged or unlike most."""
    address: str | None = None
    storage: str | None = None
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.preset not in list(Preset):
            raise ConfigError(f"no preset {self.preset!r}; there are: {', '.join(Preset)}")
        if self.on_bad_file not in ("fail", "skip"):
            raise ConfigError(f"--on-bad-file {self.on_bad_file}: expected fail or skip")
        fraction = self.validation_fraction
        if fraction is not None and not 0 <= fraction < 1:
            raise ConfigError(f"--validation-fraction must be in [0, 1), not {fraction}")
        for name in ("epochs", "num_workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
        if self.seed < 0:
            raise ConfigError(f"--seed must not be negative, but is {self.seed}")

    @property
    def skip_bad_files(self) -> bool:
        """Whether a training goes on without them."""
        return self.on_bad_file == "skip"

    def identity(self, table: Table) -> dict[str, Any]:
        """All that decides the outcome: what a resumed run must have in common."""
        return {
            "table": table.uri,
            "table_fingerprint": table.fingerprint,
            "preset": self.preset,
            "schema": dict(self.schema),
            "exclude": list(self.exclude),
            "csv": str(self.csv or ""),
            "epochs": self.epochs,
            "seed": self.seed,
            "validation_fraction": self.validation_fraction,
            "min_category_rows": self.min_category_rows,
        }


def run_training(request: TrainRequest, reporter: Reporter) -> None:
    """Train and write the bundle.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    check_target(request.out, overwrite=request.overwrite)
    table = locate(
        request.table,
        skip_bad_files=request.skip_bad_files,
        csv=request.csv,
        exclude=request.exclude,
    )
    _schema(table, TableSketch.of(_columns(table, request).empty_table()), request)
    run = run_folder(request.out, request.storage)
    resumed = prepare(
        run, request.identity(table), resume=request.resume, overwrite=request.overwrite
    )
    with ExitStack() as stack:
        with reporter.stage("start"):
            cluster = stack.enter_context(connected(request.address, goes_on=_GOES_ON))
            if request.use_gpu and cluster.local:
                wait_for(cluster, {"GPU": 1}, request.num_workers or 1)
            else:  # elsewhere GPUs are asked for when the rows are encoded
                fewest = 1 if request.use_gpu else request.num_workers or 1
                cluster = wait_for(cluster, {"CPU": 1}, fewest)
            wait_free(cluster, "CPU", 1, reporter)
        table, codec = _read(table, request, run, resumed, cluster, reporter)
        config = _encoded(table, codec, run, request, cluster, reporter)
        workers = train_workers(
            cluster,
            request.num_workers,
            batch_rows=config.training.batch_rows,
            use_gpu=request.use_gpu,
            reporter=reporter,
        )
        with reporter.stage("train") as stage:
            outcome = fit(
                run,
                join(run, _ENCODED),
                config,
                workers,
                seed=request.seed,
                max_time_s=request.max_time_s,
                stage=stage,
            )
    info = _info(request, table, outcome, reporter)
    bundle = dataclasses.replace(outcome.bundle, info=info)
    bundle.save(request.out, overwrite=request.overwrite)
    remove(run)
    reporter.result(_closing_line(request, table, outcome, reporter))


def _columns(table: Table, request: TrainRequest) -> pa.Schema:
    return pa.schema([field for field in table.schema if field.name not in request.exclude])


def _schema(table: Table, sketch: TableSketch, request: TrainRequest) -> Schema:
    schema = Schema.infer(table.schema, sketch, table.left_out(request.exclude))
    return schema.override(request.schema) if request.schema else schema


def _read(
    table: Table,
    request: TrainRequest,
    run: str,
    resumed: bool,
    cluster: Cluster,
    reporter: Reporter,
) -> tuple[Table, Codec]:
    """The table and its codec as an earlier run left them, or from a pass over the rows."""
    reporter.note(
        f"{table.uri}: {table.rows:,} rows, {counted(len(table.files), f'{table.format} file')}"
    )
    if table.csv is not None:
        reporter.note(f"read as --csv '{table.csv}'")
    for note in table.notes:
        reporter.warn(note)
    if resumed:
        reporter.note(f"going on with the training in {run}")
        table, codec = table.without(load_json(run, SKIPPED) or {}), load_codec(run)
    else:
        identity = request.identity(table)  # what is skipped does not change what was asked for
        table, codec = _sketched(table, request, cluster, reporter)
        save_json(run, SKIPPED, dict(table.skipped))
        save_codec(run, codec)
        begin(run, identity)
    _tell_skipped(table, reporter)
    reporter.columns(codec.schema)
    return table, codec


def _sketched(
    table: Table, request: TrainRequest, cluster: Cluster, reporter: Reporter
) -> tuple[Table, Codec]:
    """The codec, and the table less what turned out to be damaged."""
    with reporter.stage("sketch") as stage:
        sketch, table = sketch_table(
            table,
            _columns(table, request).names,
            cluster.cpus,
            stage,
            skip_bad_files=request.skip_bad_files,
        )
        schema = _schema(table, sketch, request)
        return table, Codec.fit(schema, sketch, _coding(table, request))


def _coding(table: Table, request: TrainRequest) -> CodecConfig:
    return coding_for(table.rows, Preset(request.preset), request.min_category_rows)


def _tell_skipped(table: Table, reporter: Reporter) -> None:
    for why in list(table.skipped.values())[:_TOLD]:
        reporter.warn(f"skipped: {why}")
    if len(table.skipped) > _TOLD:
        reporter.warn(f"skipped: {len(table.skipped) - _TOLD:,} more files")


def _encoded(
    table: Table,
    codec: Codec,
    run: str,
    request: TrainRequest,
    cluster: Cluster,
    reporter: Reporter,
) -> Config:
    """Encode the rows unless that is done, and settle how to train on them."""
    folder = join(run, _ENCODED)
    if read_manifest(folder) is None:
        fraction = request.validation_fraction
        if fraction is None:
            fraction = validation_share(table.rows)
        with reporter.stage("encode") as stage:
            encode_table(
                table,
                run,
                folder,
                seed=request.seed,
                fraction=fraction,
                cpus=cluster.cpus,
                stage=stage,
            )
    plain = load_json(run, CONFIG)
    if plain is not None:
        return Config.from_dict(plain)
    config = Config.for_table(
        codec.layout,
        EncodedRows.open(folder, codec.layout).rows,
        preset=Preset(request.preset),
        epochs=request.epochs,
    )
    save_json(run, CONFIG, config.to_dict())
    return config


def _info(
    request: TrainRequest, table: Table, outcome: Outcome, reporter: Reporter
) -> dict[str, Any]:
    return {
        "rows": table.rows,
        "skipped_files": len(table.skipped),
        "csv": str(table.csv or ""),
        "seed": request.seed,
        "stopped": outcome.stopped,
        "trained_rows": outcome.trained_rows,
        "train_s": round(outcome.train_s, 2),
        "seconds": {name: round(seconds, 1) for name, seconds in reporter.seconds.items()},
    }


def _closing_line(request: TrainRequest, table: Table, outcome: Outcome, reporter: Reporter) -> str:
    speed = outcome.trained_rows / max(outcome.train_s, 1e-3)
    skipped = counted(len(table.skipped), "bad file") + " skipped; " if table.skipped else ""
    return (
        f"{table.rows:,} rows learned at {speed:,.0f} rows/s (ended by {outcome.stopped}); "
        f"{skipped}{reporter.stages()}; peak memory {reporter.peak_bytes / 1e6:,.0f} MB; "
        f"bundle {request.out}"
    )


if __name__ == "__main__":  # python -m ray_jobs.train is gtcoder train
    sys.argv[:1] = ["gtcoder", "train"]
    runpy.run_module("ray_jobs.cli", run_name="__main__")
