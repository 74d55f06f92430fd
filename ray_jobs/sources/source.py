"""What rows are learned from: anything that can be read twice.

The first pass sketches all rows, the second encodes them into parts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self

import pyarrow as pa

from gtcoder.progress import Reporter, Stage
from gtcoder.rules.rule import Rule
from gtcoder.rules.tally import Tally
from gtcoder.sketch.table import TableSketch
from gtcoder.training.rows.parts import Written
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.sources.encoding import Encoding

Look = Callable[[pa.Table], TableSketch]

_TOLD = 10
"""So many bad files are named."""


class Source(Protocol):
    """A table, wherever its rows come from."""

    @property
    def uri(self) -> str:
        """What it is called."""

    @property
    def schema(self) -> pa.Schema:
        """Of all its columns."""

    @property
    def fingerprint(self) -> str:
        """Changes when the rows do."""

    @property
    def described(self) -> Sequence[str]:
        """What it is, in a line or two."""

    @property
    def notes(self) -> Sequence[str]:
        """What a user should know of how it is read."""

    @property
    def skipped(self) -> Mapping[str, str]:
        """Files that are left out, and why."""

    @property
    def info(self) -> dict[str, Any]:
        """What a bundle remembers of it."""

    def on(self, cluster: Cluster) -> Self:
        """The same, read by the tasks of a cluster."""

    def typed(self, schema: pa.Schema) -> Self:
        """The same columns in other types."""

    def left_out(self, exclude: Iterable[str]) -> list[str]:
        """The columns of the schema that are excluded."""

    def less(self, skipped: Mapping[str, str]) -> Self:
        """It without some files: path to what is wrong with them."""

    def sketch(
        self,
        columns: Sequence[str],
        stage: Stage,
        *,
        skip_bad_files: bool = False,
        look: Look = TableSketch.of,
    ) -> tuple[TableSketch, Self]:
        """The sketch of some columns of all rows, and what was sketched.

        Memory on the driver does not grow with the rows.

        Args:
            columns: their names.
            stage: is told how far this is.
            skip_bad_files: leave out files that are damaged.
            look: sketches a part of the rows.
        """

    def tally(self, rules: Sequence[Rule], stage: Stage) -> list[Tally]:
        """How many of all rows keep each rule."""

    def some(self, columns: Sequence[str], share: float) -> pa.Table:
        """About a share of the rows, drawn at random, in memory."""

    def encode(self, job: Encoding, stage: Stage) -> Written:
        """Encode all rows into parts."""


def tell(source: Source, reporter: Reporter) -> None:
    """Say what a source is, and what a user should know of how it is read."""
    for line in source.described:
        reporter.note(line)
    for note in source.notes:
        reporter.warn(note)


def tell_skipped(source: Source, reporter: Reporter) -> None:
    """Say which files are left out."""
    skipped = list(source.skipped.values())
    for why in skipped[:_TOLD]:
        reporter.warn(f"skipped: {why}")
    if len(skipped) > _TOLD:
        reporter.warn(f"skipped: {len(skipped) - _TOLD:,} more files")
