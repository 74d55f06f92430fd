"""From a source to a bundle: sketch, schema, codec, encode once, train on any number of workers."""

import dataclasses
from functools import cached_property
from typing import Any

from gtcoder.bundle import Bundle
from gtcoder.codec.codec import Codec
from gtcoder.codec.config import MIN_CATEGORY_ROWS
from gtcoder.config import Config, Preset, coding_for, learned_rows, validation_share
from gtcoder.errors import ConfigError
from gtcoder.learned import Learned
from gtcoder.progress import Reporter
from gtcoder.rules.found import lines
from gtcoder.sketch.table import TableSketch
from gtcoder.table.files import join
from gtcoder.training.options import announced, drawn
from gtcoder.training.rows.parts import read_manifest, write_manifest
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.workers import train_workers
from ray_jobs.sources.encoding import Encoding, load_codec, save_codec
from ray_jobs.sources.options import ReadOptions
from ray_jobs.sources.source import Source, tell_skipped
from ray_jobs.training.fit import fit
from ray_jobs.training.run_folder import CONFIG, READ, START, begin, load_json, save_json
from ray_jobs.training.worker import Outcome

_ENCODED = "encoded"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions(ReadOptions):
    """How to read and to train, whatever the rows come from."""

    base: str | None = None
    """The bundle that the training goes on from."""
    preset: str = "default"
    epochs: int | None = None
    max_time_s: float | None = None
    num_workers: int | None = None
    """At most; by default as many as pay."""
    use_gpu: bool = False
    seed: int = 0
    validation_fraction: float | None = None
    min_category_rows: int = MIN_CATEGORY_ROWS
    max_rows: int | None = None
    """Rows that are learned of a larger table; by rule where it is not given."""

    def __post_init__(self) -> None:
        ReadOptions.__post_init__(self)
        if self.preset not in list(Preset):
            raise ConfigError(f"no preset {self.preset!r}; there are: {', '.join(Preset)}")
        fraction = self.validation_fraction
        if fraction is not None and not 0 <= fraction < 1:
            raise ConfigError(
                f"`validation_fraction={fraction}`: expected a share from 0 to below 1"
            )
        for name in ("epochs", "num_workers", "max_rows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"`{name}={value}`: expected at least 1")
        if self.seed < 0:
            raise ConfigError(f"`seed={self.seed}`: expected 0 or more")
        for name, usual in (("preset", "default"), ("schema", {})):
            if self.base is not None and getattr(self, name) != usual:
                raise ConfigError(f"`{name}=` does not go with `base=`: it is the bundle's")

    @cached_property
    def learned(self) -> Learned | None:
        """What the bundle that is gone on from knows.

        Raises:
            BundleError: there is none, or it is damaged or of another format.
        """
        return None if self.base is None else Learned(Bundle.load(self.base))

    def columns(self, source: Source) -> list[str]:
        """The names of the columns that are read: those of the bundle that is gone on from."""
        if self.learned is None:
            return ReadOptions.columns(self, source)
        return self.learned.bundle.schema.names

    def check(self, source: Source) -> None:
        """See, before a row is read, that the columns and what is said of them can be used.

        Raises:
            SchemaError: they cannot, or are not those of the bundle that is gone on from.
        """
        if self.learned is None:
            ReadOptions.check(self, source)
        else:
            self.learned.check(source.schema)

    def identity(self, source: Source) -> dict[str, Any]:
        """All that decides the outcome: what a resumed run must have in common."""
        return {
            "from": self.learned and self.learned.bundle.checksum,
            "table": source.uri,
            "table_fingerprint": source.fingerprint,
            "preset": self.preset,
            "schema": dict(self.schema),
            "exclude": list(self.exclude),
            "csv": source.info.get("csv", ""),
            "epochs": self.epochs,
            "seed": self.seed,
            "validation_fraction": self.validation_fraction,
            "rules": [self.rules, self.rule_tolerance],
            "min_category_rows": self.min_category_rows,
            "max_rows": self.max_rows,
        }


def learn(
    source: Source,
    options: TrainOptions,
    run: str,
    *,
    resumed: bool,
    cluster: Cluster,
    reporter: Reporter,
) -> tuple[Bundle, Outcome]:
    """Learn a source's rows.

    Args:
        source: of the rows.
        options: how to train.
        run: the folder of the run's state.
        resumed: whether an earlier run's state is there, to go on from.
        cluster: to work on.
        reporter: is told how far this is.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    source, codec, rows = _read(source, options, run, resumed, reporter)
    reporter.columns(codec.schema)
    config = _encoded(source, codec, rows, run, options, reporter)
    workers = train_workers(
        cluster,
        options.num_workers,
        batch_rows=config.training.batch_rows,
        use_gpu=options.use_gpu,
        reporter=reporter,
        wait_s=options.wait_s,
    )
    fraction = options.validation_fraction
    learned = learned_rows(rows, options.max_rows)
    reporter.note(announced(learned, config.training.epochs, options.max_time_s, fraction))
    with reporter.stage("train") as stage:
        outcome = fit(
            run,
            join(run, _ENCODED),
            config,
            workers,
            start=None if options.learned is None else join(run, START),
            rows=rows,
            seed=options.seed,
            max_time_s=options.max_time_s,
            stage=stage,
        )
    info = source.info | {
        "rows": rows,
        "learned_rows": learned,
        "seed": options.seed,
        "stopped": outcome.stopped,
        "trained_rows": outcome.trained_rows,
        "train_s": round(outcome.train_s, 2),
        "seconds": {name: round(seconds, 1) for name, seconds in reporter.seconds.items()},
        "familiarity": outcome.familiarity.to_dict(),
    }
    if options.learned is not None:
        info |= options.learned.info(rows)
    return dataclasses.replace(outcome.bundle, info=info), outcome


def _read(
    source: Source, options: TrainOptions, run: str, resumed: bool, reporter: Reporter
) -> tuple[Source, Codec, int]:
    """The source, its codec and rows as an earlier run left them, or from a pass over the rows."""
    if resumed:
        reporter.note(f"going on with the training in {run}")
        read = load_json(run, READ)
        source = source.less(read["skipped"])
        tell_skipped(source, reporter)
        return source, load_codec(run), read["rows"]
    identity = options.identity(source)  # what is skipped does not change what was asked for
    with reporter.stage("sketch") as stage:
        sketch, source = source.sketch(
            options.columns(source),
            stage,
            skip_bad_files=options.skip_bad_files,
            look=TableSketch.of if options.learned is None else options.learned.bundle.codec.sketch,
        )
    codec = _codec(source, sketch, options, reporter)
    if options.learned is not None:
        options.learned.bundle.save(join(run, START), overwrite=True)
    save_json(run, READ, {"skipped": dict(source.skipped), "rows": sketch.rows})
    save_codec(run, codec)
    begin(run, identity)
    tell_skipped(source, reporter)
    return source, codec, sketch.rows


def _codec(source: Source, sketch: TableSketch, options: TrainOptions, reporter: Reporter) -> Codec:
    """The codec of a table, or that of the bundle that is gone on from and how the rows fit it."""
    learned = options.learned
    if learned is not None:
        for line in learned.misfits(sketch, source.schema.names, options.exclude):
            reporter.warn(line)
        return learned.codec(sketch)
    schema = options.inferred(source, sketch)
    coding = coding_for(sketch.rows, Preset(options.preset), options.min_category_rows)
    if Preset(options.preset) is Preset.PAPER:  # the paper's has no rules
        return Codec.fit(schema, sketch, coding)
    found = options.found(source, schema, sketch, reporter, min_rows=options.min_category_rows)
    reporter.rules(lines(found), found.lost)
    return Codec.fit(schema, sketch, coding, found)


def _encoded(
    source: Source,
    codec: Codec,
    rows: int,
    run: str,
    options: TrainOptions,
    reporter: Reporter,
) -> Config:
    """Encode the rows unless that is done, and settle how to train on them."""
    folder = join(run, _ENCODED)
    if read_manifest(folder) is None:
        fraction, learned = options.validation_fraction, learned_rows(rows, options.max_rows)
        job = Encoding(
            run=run,
            folder=folder,
            rows=learned,
            table_rows=rows,
            seed=options.seed,
            fraction=validation_share(learned) if fraction is None else fraction,
        )
        if learned < rows:
            reporter.note(drawn(learned, rows))
        with reporter.stage("encode") as stage:
            write_manifest(folder, source.encode(job, stage), codec.layout)
    plain = load_json(run, CONFIG)
    if plain is not None:
        return Config.from_dict(plain)
    train = sum(int(line["train"]) for line in read_manifest(folder) or ())
    if options.learned is not None:
        config = options.learned.config(codec, train, options.epochs)
    else:
        preset = Preset(options.preset)
        config = Config.for_table(codec.layout, train, preset=preset, epochs=options.epochs)
    save_json(run, CONFIG, config.to_dict())
    return config
