"""GTCoder for one table in memory: fit, sample, explain, save, load, with no Ray started.

It is a thin front: the codec, the training loop, the bundle and the sampler are those of the jobs.
"""

import secrets
import time
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, Self

import pandas as pd
import pyarrow as pa

from gtcoder.bundle import Bundle
from gtcoder.codec.codec import Codec
from gtcoder.codec.config import MIN_CATEGORY_ROWS, CodecConfig
from gtcoder.codec.layout import Encoded
from gtcoder.config import Config, Preset, coding_for, validation_share
from gtcoder.errors import ConfigError, GTCoderError
from gtcoder.explain import Explanation, explain, explain_training
from gtcoder.learned import Learned
from gtcoder.likelihood import Familiarity
from gtcoder.progress import Reporter
from gtcoder.sampling.sample import Range, Sampler
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.files import Uri
from gtcoder.table.memory import to_arrow
from gtcoder.training.loop import Trained, train
from gtcoder.training.options import Progress, RunOptions, device_named
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.start import Start
from gtcoder.where.constraint import constraints
from gtcoder.where.written import Where

_LEAST_TRAINING = 0.25
"""Of the time allowed, for the training, however long the reading took."""


class Synthesizer:
    """Learns a table and draws rows like it.

    >>> synthesizer = Synthesizer().fit(df)  # doctest: +SKIP
    >>> synthesizer.sample(1000, where={"sex": "Female"}, seed=7)  # doctest: +SKIP

    As in scikit-learn, `get_params`, `set_params` and `sklearn.base.clone` work, and so does
    pickle; files that others are to read are written by `save`.
    """

    def __init__(
        self,
        *,
        preset: str = "default",
        schema: Mapping[str, Any] | None = None,
        exclude: Iterable[str | int] = (),
        epochs: int | None = None,
        max_time_s: float | None = None,
        validation_fraction: float | None = None,
        min_category_rows: int = MIN_CATEGORY_ROWS,
        seed: int = 0,
        device: str = "cpu",
        verbose: bool = False,
        fusion: bool = True,
        mixture_prior: bool = True,
        contrastive: bool = True,
    ) -> None:
        """Choose how to train.

        Args:
            preset: "default" or "paper".
            schema: kinds that override the inferred ones, `{"columns": {"zip": {"kind":
                "categorical"}}}`.
            exclude: columns to leave out; names that are no text are taken as text.
            epochs: passes over the rows; by rule from the table when not given.
            max_time_s: seconds that `fit` may take in all; it ends a little early rather than late.
            validation_fraction: share of rows held out to decide when to stop; by rule when not
                given.
            min_category_rows: nothing that fewer rows share is written down (privacy).
            seed: makes the fit reproducible.
            device: "cpu" or "cuda".
            verbose: show what each column was taken for, what is not learned and why, and progress.
            fusion: False switches off the transformer (ablation).
            mixture_prior: False switches off Eq. 8's prior (ablation).
            contrastive: False switches off the contrastive loss (ablation).

        Raises:
            ConfigError: an option has a value that cannot be used.
        """
        self._parameters = {name: value for name, value in locals().items() if name != "self"}
        _check(self._parameters)
        self._bundle: Bundle | None = None
        self._sampler: Sampler | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name, as they were given; `deep` is scikit-learn's, without effect."""
        return dict(self._parameters)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; what is learned stays until the next `fit`.

        Raises:
            ConfigError: there is no such parameter, or its value cannot be used.
        """
        unknown = sorted(set(parameters) - set(self._parameters))
        if unknown:
            known = ", ".join(self._parameters)
            raise ConfigError(f"no parameter {unknown[0]!r}; there are: {known}")
        changed = self._parameters | parameters
        _check(changed)
        self._parameters = changed
        return self

    def __repr__(self) -> str:
        usual = type(self)()._parameters
        given = self._parameters.items()
        named = ", ".join(f"{name}={value!r}" for name, value in given if value != usual[name])
        if self._bundle is None:
            return f"Synthesizer({named}), nothing learned yet"
        info, columns = self._bundle.info, len(self._bundle.schema.columns)
        return f"Synthesizer({named}), learned {info['rows']:,} rows of {columns:,} columns"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_sampler": None}  # made again when it is needed

    def fit(self, table: pd.DataFrame | pa.Table) -> Self:
        """Learn a table.

        Args:
            table: a DataFrame (its index is not learned, its columns' names are taken as text) or
                an Arrow table.

        Raises:
            TableError: it is neither, or a column holds values of several types.
            SchemaError: a column's type or an override cannot be used.
            ConfigError: there is too little to train on.
        """
        started, chosen = time.monotonic(), self._parameters
        arrow = to_arrow(table)
        codec = self._codec(arrow)
        if chosen["verbose"]:
            self._reporter.columns(codec.schema)
        rows = self._rows(codec.encode(arrow))
        config = Config.for_table(
            codec.layout,
            rows.rows,
            preset=Preset(chosen["preset"]),
            epochs=chosen["epochs"],
            **{name: chosen[name] for name in ("fusion", "mixture_prior", "contrastive")},
        )
        return self._learn(codec, rows, config, {"rows": len(arrow)}, started)

    def partial_fit(self, table: pd.DataFrame | pa.Table) -> Self:
        """Learn more rows of the same columns; the first ones where nothing is learned yet.

        What is learned goes on from: its schema, its codes and its weights, which count in the end
        for as many rows as they have seen, so that these are not forgotten. Values for which there
        is no code are told, and learned as the nearest, the rest or the commonest.

        Args:
            table: new rows; further columns are left out.

        Raises:
            SchemaError: a column is missing, or has another type.
        """
        if self._bundle is None:
            return self.fit(table)
        started, learned, arrow = time.monotonic(), Learned(self._bundle), to_arrow(table)
        learned.check(arrow.schema)
        columns, arrow = arrow.column_names, arrow.select(learned.bundle.schema.names)
        sketch = TableSketch.of(arrow)
        left_out = [str(name) for name in self._parameters["exclude"]]
        for line in learned.misfits(sketch, columns, left_out):
            self._reporter.warn(line)
        codec = learned.codec(sketch)
        rows = self._rows(codec.encode(arrow))
        config = learned.config(codec, rows.rows, self._parameters["epochs"])
        start = learned.start(rows.rows, self._parameters["seed"])
        return self._learn(codec, rows, config, learned.info(len(arrow)), started, start)

    @property
    def _reporter(self) -> Reporter:
        return Reporter(quiet=not self._parameters["verbose"])

    def _rows(self, encoded: Encoded) -> EncodedRows:
        """The rows to train on, some of them held out."""
        fraction = self._parameters["validation_fraction"]
        if fraction is None:
            fraction = validation_share(len(encoded))
        seed = self._parameters["seed"]
        return EncodedRows.of(encoded, seed=seed, validation_fraction=fraction)

    def _learn(
        self,
        codec: Codec,
        rows: EncodedRows,
        config: Config,
        info: Mapping[str, Any],
        started: float,
        start: Start | None = None,
    ) -> Self:
        """Train, from a `start` if there is one, and keep what is learned."""
        seed = self._parameters["seed"]
        trained = self._train(codec, rows, config, time.monotonic() - started, start)
        self._sampler = None
        self._bundle = Bundle.of(
            trained.model,
            codec,
            config,
            explanation=explain_training(trained.model, codec.layout, rows, seed=seed),
            history=trained.history,
            info={
                **info,
                "seed": seed,
                "stopped": trained.stopped,
                "seconds": round(time.monotonic() - started, 1),
                "familiarity": Familiarity.of(trained.model, rows).to_dict(),
            },
        )
        return self

    def _codec(self, arrow: pa.Table) -> Codec:
        """The codec of a table, by its own sketch and what the user said of it."""
        chosen, left_out = self._parameters, [str(name) for name in self._parameters["exclude"]]
        kept = [name for name in arrow.column_names if name not in left_out]
        sketch = TableSketch.of(arrow.select(kept))
        schema = Schema.infer(arrow.schema, sketch, left_out)
        if chosen["schema"]:
            schema = schema.override(_with_text_names(chosen["schema"]))
        coding = coding_for(len(arrow), Preset(chosen["preset"]), chosen["min_category_rows"])
        return Codec.fit(schema, sketch, coding)

    def _train(
        self,
        codec: Codec,
        rows: EncodedRows,
        config: Config,
        spent_s: float,
        start: Start | None,
    ) -> Trained:
        """Run the loop in what is left of the time, and show how far it is."""
        allowed_s = self._parameters["max_time_s"]
        if allowed_s is not None:
            allowed_s = max(allowed_s - spent_s, _LEAST_TRAINING * allowed_s)
        with self._reporter.stage("train") as stage:

            def show(progress: Progress) -> None:
                stage.update(progress.share, str(progress), progress.left_s)

            options = RunOptions(
                seed=self._parameters["seed"],
                device=device_named(self._parameters["device"]),
                max_time_s=allowed_s,
                progress=show,
            )
            return train(codec.layout, rows, config, options=options, start=start)

    @property
    def bundle(self) -> Bundle:
        """What was learned.

        Raises:
            GTCoderError: nothing yet.
        """
        if self._bundle is None:
            raise GTCoderError("nothing is learned yet: call fit(table), or load(path)")
        return self._bundle

    @property
    def schema(self) -> Schema:
        """The columns and the kinds they were taken for."""
        return self.bundle.schema

    @property
    def history(self) -> pd.DataFrame:
        """A row for each validation: epoch, seconds, the losses since the last, the validation's.

        Losses are means in nats a row.
        """
        return pd.DataFrame(self.bundle.history)

    def sample(
        self, n: int, *, where: Where | None = None, seed: int | None = None, start: int = 0
    ) -> pd.DataFrame:
        """Draw rows.

        Args:
            n: how many.
            where: conditions every row meets, `{"sex": "Female", "age": (65, None)}` or
                `["sex=Female", "age>=65"]`.
            seed: the same seed gives the same rows, and the first of them whatever `n` is; without
                one every call gives new rows.
            start: how many rows of the seed's endless stream come before these, so that
                `sample(10, seed=7)` and `sample(10, seed=7, start=10)` are `sample(20, seed=7)`.

        Raises:
            ConditionError: a condition names what the table did not have.
            ConfigError: n, the seed or the start is negative or no whole number.
        """
        seed = secrets.randbits(63) if seed is None else seed
        for name, value in (("n", n), ("seed", seed), ("start", start)):
            _check_whole(name, value)
        if start < 0:
            raise ConfigError(f"start must not be negative, but is {start}")
        if self._sampler is None:
            self._sampler = Sampler(self.bundle.model(), self.bundle.codec)
        plan = self._sampler.plan
        if where:
            plan = self._sampler.drawer.plan(constraints(self.bundle.codec, where))
        first = int(start)
        return self._sampler.table([Range(plan, int(seed), first, first + int(n))]).to_pandas()

    def explain(self, table: pd.DataFrame | pa.Table) -> Explanation:
        """Which columns drive the fused representation of these rows, and which attend to which.

        Raises:
            GTCoderError: the model was trained without the fusion transformer.
        """
        codec = self.bundle.codec
        return explain(self.bundle.model(), codec.layout, codec.encode(to_arrow(table)))

    def save(self, path: Uri, *, overwrite: bool = False) -> None:
        """Write the bundle.

        Raises:
            OutputError: something is there already, or it cannot be written.
        """
        self.bundle.save(path, overwrite=overwrite)

    @classmethod
    def load(cls, path: Uri) -> Self:
        """Read a bundle, this class's or a training job's.

        Raises:
            BundleError: there is none, or it is damaged or of another format.
        """
        bundle = Bundle.load(path)
        synthesizer = cls(preset=str(bundle.config.preset))
        synthesizer._bundle = bundle
        return synthesizer


def _check(chosen: Mapping[str, Any]) -> None:
    """See that all parameters can be used.

    Raises:
        ConfigError: one cannot.
    """
    if chosen["preset"] not in list(Preset):
        raise ConfigError(f"no preset {chosen['preset']!r}; there are: {', '.join(Preset)}")
    if isinstance(chosen["exclude"], str):
        raise ConfigError(f"exclude must be a list of columns, not the text {chosen['exclude']!r}")
    epochs, allowed_s = chosen["epochs"], chosen["max_time_s"]
    _check_whole("epochs", 1 if epochs is None else epochs)
    if epochs is not None and epochs < 1:
        raise ConfigError(f"epochs must be at least 1, not {epochs}")
    if allowed_s is not None and allowed_s <= 0:
        raise ConfigError(f"max_time_s must be more than 0, not {allowed_s}")
    fraction = chosen["validation_fraction"]
    if fraction is not None and not 0 <= fraction < 1:
        raise ConfigError(f"validation_fraction must be in [0, 1), not {fraction}")
    _check_whole("seed", chosen["seed"])
    if chosen["seed"] < 0:
        raise ConfigError(f"seed must not be negative, but is {chosen['seed']}")
    _check_whole("min_category_rows", chosen["min_category_rows"])
    CodecConfig(min_category_rows=chosen["min_category_rows"])
    device_named(chosen["device"])


def _check_whole(name: str, value: object) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ConfigError(f"{name} must be a whole number, not {value!r}")


def _with_text_names(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Overriding kinds with the names of columns as text, as `to_arrow` has them."""
    if not isinstance(schema.get("columns"), Mapping):
        return schema
    return {**schema, "columns": {str(name): kind for name, kind in schema["columns"].items()}}
