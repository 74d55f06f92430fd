"""The one sampler: rows of the endless stream that a bundle, a seed and conditions define.

The stream is cut in blocks; a block's random numbers follow from (seed, block) and come row by row,
so any range of rows is the same whoever draws it, in whatever pieces.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from gtcoder.codec import Codec
from gtcoder.drawing import Condition, Drawer
from gtcoder.errors import ConfigError
from gtcoder.model import GTCoder

BLOCK_ROWS = 4_096
"""Rows that share a random stream."""
DECODE_COLUMNS = 2
"""Uniform numbers a row's decoding takes beside those of its encoded form."""


class Sampler:
    """Draws tables from a trained model."""

    def __init__(self, model: GTCoder, codec: Codec, constraints: Sequence[Condition] = ()) -> None:
        self.codec = codec
        self.drawer = Drawer(model, codec.layout, constraints)

    def rows(self, seed: int, start: int, stop: int) -> pa.Table:
        """Rows [start, stop) of the stream, with the schema of the table learned from.

        Raises:
            ConfigError: the range or the seed is negative.
        """
        if seed < 0:
            raise ConfigError(f"seed must not be negative, but is {seed}")
        if not 0 <= start <= stop:
            raise ConfigError(f"the number of rows must not be negative, but is {stop - start}")
        uniforms = np.concatenate([np.zeros((0, self._width)), *self._uniforms(seed, start, stop)])
        encoded = self.drawer.draw(uniforms[:, DECODE_COLUMNS:])
        return self.codec.decode(encoded, uniforms[:, :DECODE_COLUMNS], start)

    @property
    def _width(self) -> int:
        return self.drawer.width + DECODE_COLUMNS

    def _uniforms(self, seed: int, start: int, stop: int) -> Iterator[np.ndarray]:
        for block in range(start // BLOCK_ROWS, -(-stop // BLOCK_ROWS)):
            first = block * BLOCK_ROWS
            rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 5, block])))
            uniforms = rng.random((min(stop - first, BLOCK_ROWS), self._width))
            yield uniforms[max(start - first, 0) :]
