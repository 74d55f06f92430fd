"""What is learned, and what it can be asked for: rows, what rows lack, scores, what drives it."""

import secrets
import warnings
from collections.abc import Sequence

import pandas as pd

from gtcoder.bundle import Bundle
from gtcoder.codec.layout import some
from gtcoder.dependence import Dependence, dependence
from gtcoder.errors import GTCoderError
from gtcoder.explain import Explanation, explain
from gtcoder.learned import Learned
from gtcoder.parameters import rows_asked, whole
from gtcoder.sampling.complete import Completer
from gtcoder.sampling.sample import Range, Sampler
from gtcoder.schema.schema import Schema
from gtcoder.score import DRAWS, needs_completing, table_scores
from gtcoder.seeds import Purpose, generator
from gtcoder.table.files import Uri
from gtcoder.table.memory import TableLike, to_arrow
from gtcoder.where.constraint import constraints
from gtcoder.where.written import Where


class Fitted:
    """A bundle, once there is one, and what draws from it."""

    _bundle: Bundle | None = None
    _sampler: Sampler | None = None

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
        return explain(
            self.bundle.model(), codec.layout, codec.encode(to_arrow(table), jitter=False)
        )

    def score(self, table: TableLike, *, draws: int = DRAWS, columns: bool = False) -> pd.DataFrame:
        """How likely each row is, and which of its columns surprises most, given the others.

        >>> synthesizer.score(df).nsmallest(10, "log_likelihood")  # doctest: +SKIP

        `log_likelihood` compares rows of one model: a number counts with its density within its
        quantile bin, taken as of length 1, so that it can be above 0. Identifiers
        and free text are not looked at. Columns that a rule keeps together are one, named like
        "education, education_num". A row that breaks a rule which all n rows kept that were
        learned is less likely by log (n + 2) nats, and the rule's columns are named unless another
        surprises more. A category that was never seen counts among the rest, or as one that was.

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
        found = table_scores(
            self.bundle.model(),
            codec,
            arrow,
            learned_rows=self.bundle.info["rows"],
            draws=draws,
            columns=columns,
        )
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
            GTCoderError: the bundle keeps none, as too few rows or too little time were there, or
                as the model has no fusion transformer.
            TableError: it is no table, or has no rows.
            ConfigError: `rows` is no whole number of at least 1.
            GTCoderError: the model is one of the paper's preset.
        """
        codec, most = self.bundle.codec, whole("rows", rows, least=1)
        if table is None:
            return self._learned_dependence()
        every = codec.encode(to_arrow(table), jitter=False)
        encoded = some(every, most, generator(0, Purpose.SAMPLE))
        return dependence(self.bundle.model(), codec.layout, encoded).frame

    def _learned_dependence(self) -> pd.DataFrame:
        """What the bundle keeps."""
        needs_completing(self.bundle.model())
        told = self.bundle.explanation.get("dependence")
        if told is None:
            raise GTCoderError("the bundle keeps no dependence; give a table to take it from")
        return Dependence.from_dict(told).frame

    def save(self, path: Uri, *, overwrite: bool = False) -> None:
        """Write the bundle.

        Raises:
            OutputError: something is there already, or it cannot be written.
        """
        self.bundle.save(path, overwrite=overwrite)
