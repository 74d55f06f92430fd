"""The one sampler: rows of the endless stream that a bundle, a seed and conditions define.

The stream is cut in blocks; a block's random numbers follow from (seed, block) and come row by row,
so any range of rows is the same whoever draws it, in whatever pieces, beside whatever else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Constraint, Encoded
from gtcoder.errors import ConfigError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.sampling.draw import Drawer
from gtcoder.sampling.plan import Plan
from gtcoder.seeds import Purpose, sequence

BLOCK_ROWS = 4_096
"""Rows that share a random stream, and about what is drawn at once."""
_AT_ONCE = 4
"""Numbers that Philox makes in one step."""
DECODE_COLUMNS = 2
"""Uniform numbers a row's decoding takes beside those of its encoded form."""


@dataclass(frozen=True, slots=True)
class Range:
    """Rows [start, stop) of the stream of a seed under a plan's conditions."""

    plan: Plan
    seed: int
    start: int
    stop: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must not be negative, but is {self.seed}")
        if not 0 <= self.start <= self.stop:
            rows = self.stop - self.start
            raise ConfigError(f"the number of rows must not be negative, but is {rows}")

    def __len__(self) -> int:
        return self.stop - self.start

    def uniforms(self) -> Iterator[np.ndarray]:
        """The random numbers of its rows, block by block, (≤ 4,096, plan width + 2)."""
        width = self.plan.width + DECODE_COLUMNS
        for block in range(self.start // BLOCK_ROWS, -(-self.stop // BLOCK_ROWS)):
            first = block * BLOCK_ROWS
            key = sequence(self.seed, Purpose.ROWS, block)
            begin, end = max(self.start - first, 0), min(self.stop - first, BLOCK_ROWS)
            bits = np.random.Philox(key)
            bits.advance(begin * width // _AT_ONCE)
            rng = np.random.Generator(bits)
            rng.random(begin * width % _AT_ONCE)
            yield rng.random((end - begin, width))


class Sampler:
    """Draws tables from a trained model, which it moves to the device it draws on.

    On another kind of device sums round differently, so that now and then a row is another one.
    """

    def __init__(
        self,
        model: GTCoder,
        codec: Codec,
        constraints: Mapping[int, Constraint] | None = None,
        *,
        device: str = "cpu",
    ) -> None:
        self.codec = codec
        self.drawer = Drawer(model.to(device), codec.layout)
        self.plan = self.drawer.plan(constraints)

    def rows(self, seed: int, start: int, stop: int) -> pa.Table:
        """Rows [start, stop) of the stream, with the schema of the table learned from.

        Raises:
            ConfigError: the range or the seed is negative.
        """
        return self.table([Range(self.plan, seed, start, stop)])

    def table(self, ranges: Sequence[Range]) -> pa.Table:
        """The rows of several ranges, one after another, drawn together."""
        encoded, uniforms = self._drawn(ranges)
        numbers = [np.zeros(0, np.int64), *(np.arange(r.start, r.stop) for r in ranges)]
        return self.codec.decode(encoded, uniforms, np.concatenate(numbers))

    def encoded(self, seed: int, start: int, stop: int) -> Encoded:
        """Rows [start, stop) of the stream as they are before they are decoded."""
        return self._drawn([Range(self.plan, seed, start, stop)])[0]

    def _drawn(self, ranges: Sequence[Range]) -> tuple[Encoded, np.ndarray]:
        """The encoded rows, and the uniform numbers (B, 2) that decoding them takes."""
        fields = len(self.codec.layout.fields)
        codes, scalars = [np.zeros((0, fields), np.int16)], [np.zeros((0, fields), np.float32)]
        uniforms = [np.zeros((0, DECODE_COLUMNS))]
        for group in _grouped(ranges):
            drawn = self.drawer.draw([(plan, each[:, DECODE_COLUMNS:]) for plan, each in group])
            codes.append(drawn.codes)
            scalars.append(drawn.scalars)
            uniforms += [each[:, :DECODE_COLUMNS].copy() for _, each in group]
        return Encoded(np.concatenate(codes), np.concatenate(scalars)), np.concatenate(uniforms)


def _grouped(ranges: Iterable[Range]) -> Iterator[list[tuple[Plan, np.ndarray]]]:
    """The ranges' uniforms in groups of about a block: under conditions a row takes hundreds."""
    group: list[tuple[Plan, np.ndarray]] = []
    for each in ranges:
        for uniforms in each.uniforms():
            group.append((each.plan, uniforms))
            if sum(len(rows) for _, rows in group) >= BLOCK_ROWS:
                yield group
                group = []
    if group:
        yield group
