"""GTCoder for one table in memory: fit, sample, explain, save, load, with no Ray started.

It is a thin front: the codec, the training loop, the bundle and the sampler are those of the jobs.
"""

import secrets
import time
import warnings
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
from gtcoder.codec.layout import Encoded, some
from gtcoder.config import Config, Preset, coding_for, learned_rows, validation_share
from gtcoder.dependence import Dependence, dependence
from gtcoder.errors import ConfigError, GTCoderError
from gtcoder.explain import Explanation, explain, explain_training
from gtcoder.learned import Learned
from gtcoder.likelihood import Familiarity
from gtcoder.parameters import check, rows_asked, settings_of, whole
from gtcoder.progress import Reporter
from gtcoder.rules.found import lines, rules_of
from gtcoder.rules.learned import FoundRules
from gtcoder.sampling.complete import Completer
from gtcoder.sampling.sample import Range, Sampler
from gtcoder.schema.schema import Schema
from gtcoder.schema.typed import cast
from gtcoder.score import DRAWS, needs_completing, scores
from gtcoder.seeds import Purpose, generator
from gtcoder.sketch.table import TableSketch
from gtcoder.table.files import Uri
from gtcoder.table.memory import TableLike, index_left_out, to_arrow
from gtcoder.training.loop import train
from gtcoder.training.options import Progress, RunOptions, announced, device_named, drawn
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.start import Start
from gtcoder.typos import listed
from gtcoder.where.constraint import constraints
from gtcoder.where.written import Where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gtcoder.evaluation.evaluation import Evaluation

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
        self,
        n: int | None = None,
        *,
        where: Where | None = None,
        seed: int | None = None,
        start: int = 0,
    ) -> pd.DataFrame:
        """Draw rows.

        Args:
            n: how many, which has to be said.
            where: conditions every row meets, `{"sex": "Female", "age": (65, None)}`,
                `["sex=Female", "age>=65"]` or one text alone. A mapping asks for shares of a
                column's categories: `{"fraud": {"yes": 0.3}}`, or `{"fraud": {}}` for equal ones;
                all else is distributed as it is within each category.
            seed: the same seed gives the same rows, and the first of them whatever `n` is; without
                one every call gives new rows.
            start: how many rows of the seed's endless stream come before these, so that
                `sample(10, seed=7)` and `sample(10, seed=7, start=10)` are `sample(20, seed=7)`.

        Warns:
            UserWarning: conditions are so seldom met together that few combinations of what they
                bind are drawn.

        Raises:
            ConditionError: a condition names what the table did not have.
            ConfigError: n, the seed or the start is negative or no whole number.
        """
        rows, first = rows_asked(n), whole("start", start)
        seed = secrets.randbits(63) if seed is None else whole("seed", seed)
        sampler = self._drawing
        plan = sampler.plan
        if where:
            plan = sampler.drawer.plan(constraints(self.bundle.codec, where))
            if plan.warning:
                warnings.warn(plan.warning, stacklevel=2)
        return sampler.table([Range(plan, seed, first, first + rows)]).to_pandas()

    @property
    def _drawing(self) -> Sampler:
        """What draws, made when it is first needed."""
        if self._sampler is None:
            self._sampler = Sampler(self.bundle.model(), self.bundle.codec)
        return self._sampler

    def complete(
        self,
        table: TableLike,
        *,
        columns: Sequence[str] = (),
        n: int | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Draw what is missing of rows, to go with what they have; all else stays as it is.

        >>> synthesizer.complete(df)  # doctest: +SKIP
        >>> synthesizer.complete(df, n=5).groupby(level="draw").mean()  # doctest: +SKIP

        A cell is drawn from its distribution given the row's others, not set to its likeliest
        value, so that a completed table varies as the whole does; `n` draws tell how sure it is.
        A cell stays missing where a rule wants it so.

        Args:
            table: rows of the learned table's kind; a column that it lacks is drawn whole.
            columns: are drawn whole as well, as if they were not there.
            n: so many draws of each row, told apart by the index's first level, `draw` (multiple
                imputation); omitted, one.
            seed: the same seed completes a row in the same place alike.

        Returns:
            The columns and types of the learned table, a row for each row of `table`, with its
            index.

        Warns:
            UserWarning: cells were drawn that do not go with others by a rule.

        Raises:
            TableError: it is no table, a column is unknown, or its values do not convert.
            ConfigError: n or the seed is negative or no whole number.
            GTCoderError: the model is one of the paper's preset.
        """
        draws, first = whole("n", 1 if n is None else n, least=1), whole("seed", seed)
        arrow = to_arrow(table)
        completer = Completer(self._drawing.drawer, self.bundle.codec)
        rows = len(arrow)
        parts = [
            completer.complete(arrow, seed=first, start=draw * rows, columns=columns)
            for draw in range(draws)
        ]
        if broken := sum(part.broken for part in parts):
            warnings.warn(
                f"in {broken:,} rows a cell was drawn that does not go with those there by a rule",
                stacklevel=2,
            )
        index = table.index if isinstance(table, pd.DataFrame) else pd.RangeIndex(rows)
        frames = [part.table.to_pandas().set_axis(index) for part in parts]
        return frames[0] if n is None else pd.concat(frames, keys=range(draws), names=["draw"])

    def explain(self, table: TableLike) -> Explanation:
        """Which columns drive the fused representation of these rows, and which attend to which.

        Raises:
            GTCoderError: the model was trained without the fusion transformer.
        """
        codec = self.bundle.codec
        return explain(self.bundle.model(), codec.layout, codec.encode(to_arrow(table)))

    def score(self, table: TableLike, *, draws: int = DRAWS, columns: bool = False) -> pd.DataFrame:
        """How likely each row is, and which of its columns surprises most, given the others.

        >>> synthesizer.score(df).nsmallest(10, "log_likelihood")  # doctest: +SKIP

        `log_likelihood` compares rows of one model: a number counts with its density within its
        quantile bin, taken as of length 1, so that it can be above 0. What the network learns is
        seen alone: neither identifiers and free text, nor that a cell of a derived column breaks
        its rule. Columns that a rule keeps together are one, named like "education, education_num".
        A category, or a combination of such columns, that was never seen counts among the rest or
        as one that was.

        Args:
            table: rows with all columns of the learned table; others are left out.
            draws: D, of z for each row: more bring the estimate nearer to log p(row), in as much
                more time.
            columns: also tell how much each column surprises.

        Returns:
            A row for each row of the table, with its index, all in nats: `log_likelihood`, log of
            the mean of p(row | z) p(z) / q(z | row) over D draws z ~ q(z | row), on average a
            little below log p(row); `standard_error`, that of the draws, NaN of one alone;
            `most_surprising`, the column with the largest `excess`, which is its surprise,
            −log p(value | all others), above −log of the value's share in general: how much less
            likely it is in this row than anywhere; with `columns`, each `surprise_NAME`. A model of
            the paper's preset has no surprises: the two are missing.

        Raises:
            SchemaError: a column of the learned table is missing, or has another type.
            TableError: it is no table, or a column's values do not convert.
            ConfigError: draws is no whole number of at least 1.
            GTCoderError: `columns` is asked of a model of the paper's preset.
        """
        draws, codec = whole("draws", draws, least=1), self.bundle.codec
        arrow = to_arrow(table)
        Learned(self.bundle).check(arrow.schema)
        model, rows = self.bundle.model(), codec.encode(arrow)
        found = scores(model, codec.layout, rows, draws=draws, columns=columns)
        return found.set_axis(table.index) if isinstance(table, pd.DataFrame) else found

    def dependence(self, table: TableLike | None = None, *, rows: int = 1_000) -> pd.DataFrame:
        """How much columns tell of one another beyond what all others tell, in nats.

        I(A; B | all others): by so much less the model is surprised by A, on average, when it knows
        B as well as the rest. It is 0 for columns that have nothing to say of one another, or
        nothing that others do not say too. Unlike attention it does not depend on how the network
        happens to work.

        Args:
            table: rows of the learned table's kind; omitted, what the bundle keeps is given, of the
                columns that are read most (at most 31).
            rows: so many of them at most are looked at, drawn at random; it takes as many passes
                over them as there are pairs of columns.

        Returns:
            A symmetric frame with the learned columns as index and columns.

        Raises:
            GTCoderError: the bundle keeps none, as too few rows or too little time were there.
            TableError: it is no table, or has no rows.
            ConfigError: `rows` is no whole number of at least 1.
            GTCoderError: the model is one of the paper's preset.
        """
        codec, most = self.bundle.codec, whole("rows", rows, least=1)
        if table is None:
            return self._learned_dependence()
        encoded = some(codec.encode(to_arrow(table)), most, generator(0, Purpose.SAMPLE))
        return dependence(self.bundle.model(), codec.layout, encoded).frame

    def _learned_dependence(self) -> pd.DataFrame:
        """What the bundle keeps."""
        needs_completing(self.bundle.model())
        told = self.bundle.explanation.get("dependence")
        if told is None:
            raise GTCoderError("the bundle keeps no dependence; give a table to take it from")
        return Dependence.from_dict(told).frame

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
