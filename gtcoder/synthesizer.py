"""GTCoder for one table in memory: fit, sample, explain, save, load, with no Ray started.

It is a thin front: the codec, the training loop, the bundle and the sampler are those of the jobs.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from gtcoder import notebook
from gtcoder.bundle import Bundle
from gtcoder.codec.codec import Codec
from gtcoder.codec.config import MIN_CATEGORY_ROWS
from gtcoder.codec.layout import Encoded
from gtcoder.config import Config, Preset, coding_for, learned_rows, validation_share
from gtcoder.errors import ConfigError
from gtcoder.explain import explain_training
from gtcoder.fitted import Fitted
from gtcoder.learned import Learned
from gtcoder.likelihood import Familiarity
from gtcoder.parameters import check, settings_of, whole
from gtcoder.progress import Reporter
from gtcoder.rules.found import lines, rules_of
from gtcoder.rules.learned import FoundRules
from gtcoder.schema.schema import Schema
from gtcoder.schema.typed import cast
from gtcoder.seeds import Purpose, generator
from gtcoder.sketch.table import TableSketch
from gtcoder.table.files import Uri
from gtcoder.table.memory import TableLike, index_left_out, to_arrow
from gtcoder.training.loop import train
from gtcoder.training.options import Progress, RunOptions, announced, device_named, drawn
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.start import Start
from gtcoder.typos import listed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gtcoder.evaluation.evaluation import Evaluation

_LEAST_TRAINING = 0.25
"""Of the time allowed, for the training, however long the reading took."""


class Synthesizer(Fitted):
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
        schema: Schema | Mapping[str, Any] | None = None,
        exclude: Iterable[str | int] = (),
        epochs: int | None = None,
        max_time_s: float | None = None,
        validation_fraction: float | None = None,
        min_category_rows: int = MIN_CATEGORY_ROWS,
        max_rows: int | None = None,
        rules: bool = True,
        rule_tolerance: float = 0.0,
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
                "categorical"}}}`, or a `Schema`.
            exclude: columns to leave out; names that are no text are taken as text.
            epochs: passes over the rows; by rule from the table when not given.
            max_time_s: seconds that `fit` may take in all; it ends a little early rather than late.
            validation_fraction: share of rows held out to decide when to stop; by rule when not
                given.
            min_category_rows: nothing that fewer rows share is written down (privacy).
            max_rows: learn so many rows of a larger table, drawn evenly; by rule 25 million.
            rules: find what columns say of one another, and keep it in every row.
            rule_tolerance: share of the rows that may break a rule that is kept all the same.
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
        check(self._parameters)

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
        check(changed)
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

    def _repr_html_(self) -> str:
        """What is learned, for notebooks."""
        if self._bundle is None:
            return notebook.paragraph(repr(self))
        info, columns = self._bundle.info, self.schema.columns
        kinds = Counter(column.kind.value for column in columns)
        rows = [
            ("rows", f"{info['rows']:,}"),
            ("columns", f"{len(columns):,}: {', '.join(f'{n:,} {k}' for k, n in kinds.items())}"),
            ("not as they stand", listed(c.name for c in columns if c.note) or "none"),
            ("rules", f"{len(self._bundle.codec.rules.all):,}"),
            ("training", f"{info.get('train_s', info['seconds'])} s, ended by {info['stopped']}"),
        ]
        return notebook.table(("Synthesizer", self._bundle.config.preset.value), rows)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_sampler": None}  # made again when it is needed

    def fit(self, table: TableLike) -> Self:
        """Learn a table.

        Args:
            table: a DataFrame (its index is not learned, its columns' names are taken as text), an
                Arrow table or one of polars or DuckDB, a dict of columns or a list of dicts.

        Raises:
            TableError: it is none of these, or a column holds values of several types.
            SchemaError: a column's type or an override cannot be used.
            ConfigError: there is too little to train on.
        """
        started, chosen = time.monotonic(), self._parameters
        arrow = cast(self._arrow(table), settings_of(chosen["schema"]))
        codec = self._codec(arrow)
        if chosen["verbose"]:
            self._reporter.columns(codec.schema)
        rows = self._rows(codec.encode(self._drawn(arrow)))
        config = Config.for_table(
            codec.layout,
            rows.rows,
            preset=Preset(chosen["preset"]),
            epochs=chosen["epochs"],
            **{name: chosen[name] for name in ("fusion", "mixture_prior", "contrastive")},
        )
        count = learned_rows(len(arrow), chosen["max_rows"])
        info = {"rows": len(arrow), "learned_rows": count}
        return self._learn(codec, rows, config, info, started)

    def partial_fit(self, table: TableLike) -> Self:
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
        started, learned, arrow = time.monotonic(), Learned(self._bundle), self._arrow(table)
        learned.check(arrow.schema)
        columns, arrow = arrow.column_names, arrow.select(learned.bundle.schema.names)
        sketch = learned.bundle.codec.sketch(arrow)
        left_out = [str(name) for name in self._parameters["exclude"]]
        for line in learned.misfits(sketch, columns, left_out):
            self._reporter.warn(line)
        codec = learned.codec(sketch)
        rows = self._rows(codec.encode(self._drawn(arrow)))
        config = learned.config(codec, rows.rows, self._parameters["epochs"])
        start = learned.start(len(arrow), self._parameters["seed"])
        return self._learn(codec, rows, config, learned.info(len(arrow)), started, start)

    @property
    def _reporter(self) -> Reporter:
        return Reporter(quiet=not self._parameters["verbose"])

    def _arrow(self, table: TableLike) -> pa.Table:
        """A table to learn as Arrow; what is left of it is told."""
        arrow = to_arrow(table)
        if note := index_left_out(table):
            self._reporter.warn(note)
        return arrow

    def _drawn(self, arrow: pa.Table) -> pa.Table:
        """The rows that are learned, told where they are not all."""
        count = learned_rows(len(arrow), self._parameters["max_rows"])
        if count == len(arrow):
            return arrow
        self._reporter.note(drawn(count, len(arrow)))
        rng = generator(self._parameters["seed"], Purpose.LEARNED)
        return arrow.take(np.sort(rng.choice(len(arrow), count, replace=False)))

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
        seed, allowed_s = self._parameters["seed"], self._allowed_s(started)
        fraction = self._parameters["validation_fraction"]
        self._reporter.note(announced(rows.rows, config.training.epochs, allowed_s, fraction))
        with self._reporter.stage("train") as stage:

            def show(progress: Progress) -> None:
                stage.update(progress.share, str(progress), progress.left_s, at_most=True)

            options = RunOptions(
                seed=seed,
                device=device_named(self._parameters["device"]),
                max_time_s=allowed_s,
                progress=show,
            )
            trained = train(codec.layout, rows, config, options=options, start=start)
            explanation = explain_training(
                trained.model, codec.layout, rows, seed=seed, most=trained.looked_at
            )
            familiarity = Familiarity.of(trained.model, rows)
        info = {
            **info,
            "seed": seed,
            "stopped": trained.stopped,
            "seconds": round(time.monotonic() - started, 1),
            "familiarity": familiarity.to_dict(),
        }
        self._sampler = None
        self._bundle = Bundle.of(
            trained.model,
            codec,
            config,
            explanation=explanation,
            history=trained.history,
            info=info,
        )
        return self

    def _allowed_s(self, started: float) -> float | None:
        """What is left of the time for the training, once the table is read."""
        allowed_s = self._parameters["max_time_s"]
        if allowed_s is None:
            return None
        return max(allowed_s - (time.monotonic() - started), _LEAST_TRAINING * allowed_s)

    def _codec(self, arrow: pa.Table) -> Codec:
        """The codec of a table, by its own sketch and what the user said of it."""
        chosen, left_out = self._parameters, [str(name) for name in self._parameters["exclude"]]
        kept = [name for name in arrow.column_names if name not in left_out]
        sketch = TableSketch.of(arrow.select(kept))
        schema = Schema.infer(arrow.schema, sketch, left_out)
        if chosen["schema"]:
            schema = schema.override(settings_of(chosen["schema"]))
        coding = coding_for(len(arrow), Preset(chosen["preset"]), chosen["min_category_rows"])
        found = FoundRules()
        if chosen["rules"] and Preset(chosen["preset"]) is Preset.DEFAULT:
            found = rules_of(
                arrow,
                schema,
                sketch,
                min_rows=chosen["min_category_rows"],
                tolerance=chosen["rule_tolerance"],
            )
            self._reporter.rules(lines(found), found.lost)
        return Codec.fit(schema, sketch, coding, found)

    def plot(
        self,
        real: TableLike,
        fake: TableLike | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> "Figure":
        """Draw columns of real and synthetic rows side by side.

        Args:
            real: rows of the learned table, or others like them.
            fake: rows that were drawn; omitted, as many are drawn as are real.
            columns: which to draw; omitted, the first of those that are learned.

        Returns:
            A figure of matplotlib; `savefig("columns.png")` keeps it.

        Raises:
            SchemaError: the tables do not go together, or there is no such column.
            GTCoderError: matplotlib is not installed.
        """
        from gtcoder.compare import drawn  # it brings scikit-learn, which takes its time

        fake = self._as_many_as(real) if fake is None else fake
        return drawn(self.schema, real, fake, columns)

    def evaluate(
        self,
        real: TableLike,
        fake: TableLike | None = None,
        *,
        holdout: TableLike | None = None,
        target: str | None = None,
        exclude: Iterable[str] = (),
        rows: int = 50_000,
        seed: int = 0,
        quick: bool = False,
    ) -> "Evaluation":
        """Measure synthetic rows against real ones: likeness, use, leaks.

        >>> print(synthesizer.evaluate(df, target="fraud"))  # doctest: +SKIP

        Args:
            real: the rows that were learned.
            fake: rows that were drawn; omitted, as many are drawn as are real.
            holdout: real rows that were not learned; omitted, some of `real` are split off, and
                leaks are not measured.
            target: column to predict; omitted, no use is measured.
            exclude: columns not to compare; what was not learned is not either.
            rows: of each table that are used, at most.
            seed: the same seed gives the same figures.
            quick: leave out what takes long; the verdict says what that is.

        Returns:
            The verdict, which prints as a few sentences, and all figures; its `save` writes them.

        Raises:
            TableError: a table has too few rows.
            SchemaError: the tables do not go together, or the target cannot be predicted.
        """
        from gtcoder.compare import evaluated

        return evaluated(
            self.schema,
            real,
            self._as_many_as(real) if fake is None else fake,
            holdout=holdout,
            target=target,
            exclude=exclude,
            rows=whole("rows", rows, least=1),
            seed=whole("seed", seed),
            quick=quick,
            reporter=self._reporter,
        )

    def _as_many_as(self, real: TableLike) -> pd.DataFrame:
        return self.sample(len(to_arrow(real)), seed=self._parameters["seed"])

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
