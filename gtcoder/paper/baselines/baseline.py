"""What every baseline shares: options, the codec, fitting and sampling; a method fills in the rest.

All code numbers by mode-specific normalisation, as CTGAN's paper does and GTCoder's after it.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from gtcoder.codec.codec import Codec
from gtcoder.codec.config import CodecConfig
from gtcoder.codec.layout import Encoded
from gtcoder.errors import ConfigError, GTCoderError
from gtcoder.paper.baselines.loop import Passes, Rows, loop, seeded
from gtcoder.paper.baselines.spans import Spans
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.memory import to_arrow
from gtcoder.training.options import device_named

BLOCK_ROWS = 4_096
"""Rows drawn at once, from random numbers of their own."""


@dataclass(kw_only=True)
class Baseline(ABC):
    """A method that learns a table and draws rows like it."""

    epochs: int = 300
    """Passes over the rows."""
    batch_rows: int = 500
    """Rows a step, at most."""
    seed: int = 0
    """Makes the fit reproducible."""
    device: str = "cpu"
    """"cpu" or "cuda"."""
    max_time_s: float | None = None
    """Training ends when so much time has passed."""
    schema: Mapping[str, Any] | None = None
    """Kinds that override the inferred ones, as `Synthesizer`'s."""
    exclude: Iterable[str] = ()
    """Columns to leave out."""
    epochs_done: float = field(init=False, default=0.0)
    """Passes that were made before the time was over."""
    loop_s: float = field(init=False, default=0.0)
    """What they took, without the codec."""
    _codec: Codec | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_rows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.seed < 0:
            raise ConfigError(f"seed must not be negative, but is {self.seed}")

    @abstractmethod
    def build(self, rows: Rows) -> None:
        """Make the networks and their optimizers, for `self.spans`."""

    @abstractmethod
    def step(self, batch: Tensor, share: float) -> None:
        """Learn from the rows of these numbers (B,), at a share of the run in [0, 1)."""

    @abstractmethod
    def draw(self, count: int) -> Tensor:
        """New rows as vectors (count, W) whose greatest entry of a field's codes is its code."""

    def fit(self, table: pd.DataFrame | pa.Table) -> Self:
        """Learn a table.

        Raises:
            TableError: it is not a table, or a column holds values of several types.
            SchemaError: a column's type or an override cannot be used.
            ConfigError: there is too little to train on.
        """
        arrow = to_arrow(table)
        device = device_named(self.device)
        codec = self._learned_codec(arrow)
        self.spans = Spans(codec.layout, device)
        self.rows = Rows.of(codec.encode(arrow), device)
        with seeded(self.seed, device):
            self.build(self.rows)
            passes = Passes(
                epochs=self.epochs, batch_rows=self.batch_rows, max_time_s=self.max_time_s
            )
            started = time.monotonic()
            self.epochs_done = loop(self.step, self.rows, passes)
            self.loop_s = time.monotonic() - started
        self._codec = codec
        return self

    def _learned_codec(self, arrow: pa.Table) -> Codec:
        excluded = list(self.exclude)
        sketch = TableSketch.of(arrow.select([c for c in arrow.column_names if c not in excluded]))
        schema = Schema.infer(arrow.schema, sketch, excluded)
        if self.schema:
            schema = schema.override(self.schema)
        codec = Codec.fit(schema, sketch, CodecConfig(coding="modes"))
        if not codec.layout.fields or len(arrow) < 2:
            raise ConfigError(
                f"{len(arrow)} rows of {len(codec.layout.fields)} columns that can be learned: "
                "expected at least 2 rows and a column that is not constant, an identifier or text"
            )
        return codec

    def sample(self, n: int, *, seed: int = 0) -> pd.DataFrame:
        """Draw rows.

        Args:
            n: how many.
            seed: the same seed gives the same rows, and the first of them whatever `n` is.

        Raises:
            GTCoderError: nothing is learned yet.
            ConfigError: n or the seed is negative.
        """
        if self._codec is None:
            raise GTCoderError("nothing is learned yet: call fit(table)")
        if n < 0 or seed < 0:
            raise ConfigError(f"n and seed must not be negative, but are {n} and {seed}")
        blocks = [self._block(seed, block) for block in range(max(1, -(-n // BLOCK_ROWS)))]
        encoded = Encoded(*(np.concatenate(parts)[:n] for parts in zip(*blocks, strict=True)))
        uniform = np.random.default_rng([seed, 7]).random((n, 2))
        return self._codec.decode(encoded, uniform, np.arange(n)).to_pandas()

    @torch.no_grad()
    def _block(self, seed: int, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes and scalars of one block of the endless stream that a seed defines."""
        own = np.random.SeedSequence([seed, block]).generate_state(1, np.uint64)[0] >> 1
        with seeded(int(own), torch.device(self.device)):
            codes, scalars = self.spans.read(self.draw(BLOCK_ROWS))
        return codes.cpu().numpy().astype(np.int16), scalars.cpu().numpy()
