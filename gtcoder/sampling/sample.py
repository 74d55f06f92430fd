"""The one sampler: rows of the endless stream that a bundle, a seed and conditions define.

The stream is cut in blocks; a block's random numbers follow from (seed, block) and come row by row,
so any range of rows is the same whoever draws it, in whatever pieces, beside whatever else.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Encoded
from gtcoder.errors import ConditionError, ConfigError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.sampling.draw import Drawer
from gtcoder.sampling.plan import Plan
from gtcoder.seeds import Purpose, sequence
from gtcoder.where.conditions import Conditions

BLOCK_ROWS = 4_096
"""Rows that share a random stream, and about what is drawn at once."""
_AT_ONCE = 4
"""Numbers that Philox makes in one step."""
MOST_ATTEMPTS = 4_096
"""At one row under conditions on what rules derive."""
_AT_A_TIME = 1_024
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

    def uniforms(self, width: int, attempt: int = 0) -> Iterator[np.ndarray]:
        """The random numbers of its rows, block by block, (≤ 4,096, width + 2).

        Every attempt at a row has its own.

        Args:
            width: numbers that drawing a row takes.
            attempt: at these rows, from 0.
        """
        width = width + DECODE_COLUMNS
        for block in range(self.start // BLOCK_ROWS, -(-self.stop // BLOCK_ROWS)):
            first = block * BLOCK_ROWS
            key = sequence(self.seed, Purpose.ROWS, block, *([attempt] if attempt else []))
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
        asked: Conditions | None = None,
        *,
        device: str = "cpu",
    ) -> None:
        self.codec = codec
        self.drawer = Drawer(model.to(device), codec.layout)
        self.plan = self.drawer.plan(asked)

    def rows(self, seed: int, start: int, stop: int) -> pa.Table:
        """Rows [start, stop) of the stream, with the schema of the table learned from.

        Raises:
            ConfigError: the range or the seed is negative.
        """
        return self.table([Range(self.plan, seed, start, stop)])

    def table(self, ranges: Sequence[Range]) -> pa.Table:
        """The rows of several ranges, one after another, drawn together.

        Raises:
            ConditionError: no row meets a condition on what rules derive, however often one is
                drawn.
        """
        drawn = self._attempt([(each, 0) for each in ranges])
        parts, start = [], 0
        for each in ranges:
            rows = drawn.slice(start, len(each))
            parts.append(self._met(each, rows) if each.plan.asked.checks else rows)
            start += len(each)
        return pa.concat_tables(parts) if parts else drawn

    def _attempt(self, tries: Sequence[tuple[Range, int]]) -> pa.Table:
        """What comes of attempts at ranges, one after another."""
        encoded, uniforms = self._drawn(tries)
        numbers = [np.zeros(0, np.int64), *(np.arange(r.start, r.stop) for r, _ in tries)]
        return self.codec.decode(encoded, uniforms, np.concatenate(numbers))

    def _met(self, whole: Range, rows: pa.Table) -> pa.Table:
        """The rows of a range with those drawn anew that do not meet its conditions.

        A row is the first attempt at it that does, whichever rows are drawn beside it.
        """
        places = np.arange(len(whole))
        open_rows = np.flatnonzero(~whole.plan.asked.met(rows))
        parts, size, attempt = [rows], len(rows), 1
        while len(open_rows):
            if attempt > MOST_ATTEMPTS:
                names = ", ".join(check.name for check in whole.plan.asked.checks)
                raise ConditionError(
                    f"none of {MOST_ATTEMPTS:,} rows drawn meets the conditions on {names}; "
                    "widen them"
                )
            at_once = min(max(_AT_A_TIME // len(open_rows), 1), MOST_ATTEMPTS + 1 - attempt)
            each = _pieces(whole, open_rows)
            drawn = self._attempt([(one, attempt + k) for k in range(at_once) for one in each])
            met = whole.plan.asked.met(drawn).reshape(at_once, -1)
            first, done = met.argmax(0), met.any(0)
            taken = np.flatnonzero(done)
            places[open_rows[taken]] = size + first[taken] * len(open_rows) + taken
            parts.append(drawn)
            size += len(drawn)
            open_rows, attempt = open_rows[~done], attempt + at_once
        return pa.concat_tables(parts).take(pa.array(places))

    def encoded(self, seed: int, start: int, stop: int) -> Encoded:
        """Rows [start, stop) of the stream as they are before they are decoded."""
        return self._drawn([(Range(self.plan, seed, start, stop), 0)])[0]

    def _drawn(self, tries: Sequence[tuple[Range, int]]) -> tuple[Encoded, np.ndarray]:
        """The encoded rows, and the uniform numbers (B, 2) that decoding them takes."""
        fields = len(self.codec.layout.fields)
        codes, scalars = [np.zeros((0, fields), np.int16)], [np.zeros((0, fields), np.float32)]
        uniforms = [np.zeros((0, DECODE_COLUMNS))]
        for group in self._grouped(tries):
            drawn = self.drawer.draw([(plan, each[:, DECODE_COLUMNS:]) for plan, each in group])
            codes.append(drawn.codes)
            scalars.append(drawn.scalars)
            uniforms += [each[:, :DECODE_COLUMNS].copy() for _, each in group]
        return Encoded(np.concatenate(codes), np.concatenate(scalars)), np.concatenate(uniforms)

    def _grouped(
        self, tries: Iterable[tuple[Range, int]]
    ) -> Iterator[list[tuple[Plan, np.ndarray]]]:
        """The ranges' uniforms in groups of about a block of tries."""
        group: list[tuple[Plan, np.ndarray]] = []
        for each, attempt in tries:
            for uniforms in each.uniforms(self.drawer.width(each.plan), attempt):
                group.append((each.plan, uniforms))
                if sum(len(rows) * plan.tries for plan, rows in group) >= BLOCK_ROWS:
                    yield group
                    group = []
        if group:
            yield group


def numbers_of(
    seed: int, purpose: Purpose, rows: np.ndarray, width: int, *where: int
) -> np.ndarray:
    """Random numbers in [0, 1) of rows by their numbers, float64 (B, width).

    Args:
        seed: of them all.
        purpose: of them all.
        rows: numbers of rows, int64 (B,), ascending.
        width: numbers of each row.
        *where: what else they follow from.
    """
    found = [np.zeros((0, width))]
    for block in np.unique(rows // BLOCK_ROWS).tolist():
        inside = rows[rows // BLOCK_ROWS == block] - block * BLOCK_ROWS
        rng = np.random.Generator(np.random.Philox(sequence(seed, purpose, block, *where)))
        found.append(rng.random((int(inside[-1]) + 1, width))[inside])
    return np.concatenate(found)


def _pieces(whole: Range, rows: np.ndarray) -> list[Range]:
    """Some rows of a range, as ranges of neighbours."""
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) > 1)
    ends = np.append(starts[1:], len(rows))
    first = [whole.start + int(rows[at]) for at in starts]
    last = [whole.start + int(rows[at - 1]) + 1 for at in ends]
    pairs = zip(first, last, strict=True)
    return [Range(whole.plan, whole.seed, start, stop) for start, stop in pairs]
