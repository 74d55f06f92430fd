"""GTCoder for one table in memory: fit, sample, explain, save, load, with no Ray started.

It is a thin front: the codec, the training loop, the bundle and the sampler are those of the jobs.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

import pandas as pd
import pyarrow as pa

from gtcoder.bundle import Bundle
from gtcoder.codec.codec import Codec
from gtcoder.config import Config, Preset, coding_for, validation_share
from gtcoder.errors import ConfigError, GTCoderError
from gtcoder.explain import Explanation, explain, explain_training
from gtcoder.sampling.sample import Sampler
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.files import Uri
from gtcoder.table.memory import to_arrow
from gtcoder.training.loop import train
from gtcoder.training.options import RunOptions, device_named
from gtcoder.training.rows import EncodedRows
from gtcoder.where.constraint import constraints
from gtcoder.where.written import Where


class Synthesizer:
    """Learns a table and draws rows like it.

    >>> synthesizer = Synthesizer().fit(df)  # doctest: +SKIP
    >>> synthesizer.sample(1000, where={"sex": "Female"}, seed=7)  # doctest: +SKIP
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
        seed: int = 0,
        device: str = "cpu",
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
            max_time_s: seconds after which training ends.
            validation_fraction: share of rows held out to decide when to stop; by rule when not
                given.
            seed: makes the fit reproducible.
            device: "cpu" or "cuda".
            fusion: False switches off the transformer (ablation).
            mixture_prior: False switches off Eq. 8's prior (ablation).
            contrastive: False switches off the contrastive loss (ablation).

        Raises:
            ConfigError: an option has a value that cannot be used.
        """
        if preset not in list(Preset):
            raise ConfigError(f"no preset {preset!r}; there are: {', '.join(Preset)}")
        if validation_fraction is not None and not 0 <= validation_fraction < 1:
            raise ConfigError(f"validation_fraction must be in [0, 1), not {validation_fraction}")
        if isinstance(exclude, str):
            raise ConfigError(f"exclude must be a list of columns, not the text {exclude!r}")
        if max_time_s is not None and max_time_s <= 0:
            raise ConfigError(f"max_time_s must be more than 0, not {max_time_s}")
        if seed < 0:
            raise ConfigError(f"seed must not be negative, but is {seed}")
        self._preset = Preset(preset)
        self._override = _with_text_names(schema)
        self._exclude = [str(name) for name in exclude]
        self._epochs = epochs
        self._validation_fraction = validation_fraction
        self._options = RunOptions(seed=seed, device=device_named(device), max_time_s=max_time_s)
        self._ablations = {
            "fusion": fusion,
            "mixture_prior": mixture_prior,
            "contrastive": contrastive,
        }
        self._bundle: Bundle | None = None

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
        started = time.monotonic()
        arrow = to_arrow(table)
        kept = [name for name in arrow.column_names if name not in self._exclude]
        sketch = TableSketch.of(arrow.select(kept))
        schema = Schema.infer(arrow.schema, sketch, self._exclude)
        if self._override:
            schema = schema.override(self._override)
        codec = Codec.fit(schema, sketch, coding_for(len(arrow), self._preset))
        encoded = codec.encode(arrow)
        fraction = self._validation_fraction
        if fraction is None:
            fraction = validation_share(len(arrow))
        rows = EncodedRows.of(encoded, seed=self._options.seed, validation_fraction=fraction)
        config = Config.for_table(
            codec.layout, rows.rows, preset=self._preset, epochs=self._epochs, **self._ablations
        )
        trained = train(codec.layout, rows, config, options=self._options)
        self._bundle = Bundle.of(
            trained.model,
            codec,
            config,
            explanation=explain_training(
                trained.model, codec.layout, rows, seed=self._options.seed
            ),
            history=trained.history,
            info={
                "rows": len(arrow),
                "seed": self._options.seed,
                "stopped": trained.stopped,
                "seconds": round(time.monotonic() - started, 1),
            },
        )
        return self

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

    def sample(self, n: int, *, where: Where | None = None, seed: int = 0) -> pd.DataFrame:
        """Draw rows.

        Args:
            n: how many.
            where: conditions every row meets, `{"sex": "Female", "age": (65, None)}` or
                `["sex=Female", "age>=65"]`.
            seed: the same seed gives the same rows, and the first of them whatever `n` is.

        Raises:
            ConditionError: a condition names what the table did not have.
            ConfigError: n or the seed is negative.
        """
        codec = self.bundle.codec
        sampler = Sampler(self.bundle.model(), codec, constraints(codec, where or {}))
        return sampler.rows(seed, 0, n).to_pandas()

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


def _with_text_names(schema: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Overriding kinds with the names of columns as text, as `to_arrow` has them."""
    if not schema or not isinstance(schema.get("columns"), Mapping):
        return schema
    return {**schema, "columns": {str(name): kind for name, kind in schema["columns"].items()}}
