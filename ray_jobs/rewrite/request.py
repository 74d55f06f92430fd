"""What is asked of a job that writes a row for every row of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError, TableError
from gtcoder.learned import Learned
from gtcoder.table.files import absolute
from ray_jobs.rewrite.rewriter import SCORES
from ray_jobs.sources.options import ReadOptions
from ray_jobs.sources.source import Source

_MOST_DRAWS = 20


@dataclass(frozen=True, kw_only=True)
class RewriteRequest(ReadOptions):
    """What the user asked for."""

    table: str
    bundle: str
    out: str
    address: str | None = None
    score: bool = False
    """Whether rows are scored rather than completed."""
    whole: Sequence[str] = ()
    """Columns that are drawn whole."""
    seed: int = 0
    draws: int = 1
    """Of each row."""
    checksum: str | None = None
    """Of the bundle meant; of any, if not given."""
    overwrite: bool = False

    def __post_init__(self) -> None:
        ReadOptions.__post_init__(self)
        if self.seed < 0:
            raise ConfigError(f"--seed must not be negative, but is {self.seed}")
        if not 1 <= self.draws <= _MOST_DRAWS:
            raise ConfigError(f"--n must be from 1 to {_MOST_DRAWS}, not {self.draws}")

    @property
    def done(self) -> str:
        """What becomes of rows, in a word."""
        return "scored" if self.score else "completed"

    def fits(self, bundle: Bundle, source: Source) -> None:
        """See, before a row is read, that the table is of the bundle's kind.

        Raises:
            SchemaError: a column has another type, or is missing where it is needed.
            TableError: a column that is named is not known, or one has a name that scores take;
                the output lies in the table.
        """
        if absolute(self.out).startswith(f"{absolute(_folder(source.uri)).rstrip('/')}/"):
            raise TableError(
                f"--out {self.out} lies in the table's folder, so that its files would become the "
                "table's; choose one outside"
            )
        columns, names = self.columns(source), bundle.schema.names
        odd = [n for n in source.left_out(self.exclude) if n not in source.schema.names]
        if odd:
            raise TableError(f"--exclude: the table has no column {odd[0]!r}")
        there = [name for name in names if self.score or name in columns]
        if not there:
            raise TableError(f"{source.uri} has no column of the bundle: {', '.join(names[:10])}")
        Learned(bundle).check(pa.schema([source.schema.field(name) for name in columns]), there)
        if unknown := next((name for name in self.whole if name not in names), None):
            raise TableError(f"--columns: expected some of {', '.join(names)}; found {unknown!r}")
        taken = {*SCORES} if self.score else {"draw"} if self.draws > 1 else set()
        if clash := taken & {*columns}:
            raise TableError(
                f"{source.uri} has a column {min(clash)!r}, which is written beside it; rename "
                f"it, or leave it out with --exclude {min(clash)}"
            )


def _folder(uri: str) -> str:
    """Where files would be the table's: its folder, or what stands before the ** of a glob."""
    before, deep, _ = uri.removeprefix("delta:").partition("**")
    return (before.rpartition("/")[0] or ".") if deep else before
