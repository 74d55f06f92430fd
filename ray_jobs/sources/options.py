"""What a user says of a table that is read: kinds, columns to leave out, how CSV is written."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from gtcoder.codec.config import MIN_CATEGORY_ROWS
from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter
from gtcoder.rules.found import found_rules
from gtcoder.rules.learned import FoundRules
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.delimited.csv_format import CsvFormat
from ray_jobs.cluster.waiting import WAIT_S
from ray_jobs.sources.source import Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a table is read, and what it is taken for."""

    schema: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Kinds that override the inferred ones."""
    exclude: Sequence[str] = ()
    csv: CsvFormat | None = None
    """How CSV files are written, where that is not to be guessed."""
    on_bad_file: str = "fail"
    """`fail`, or `skip`: leave out files that are damaged or unlike most."""
    rules: bool = True
    """Whether to find what columns say of one another."""
    rule_tolerance: float = 0.0
    """Share of rows that may break a rule that is taken all the same."""
    wait_s: float = WAIT_S
    """How long a machine of a cluster may take to come."""

    def __post_init__(self) -> None:
        if self.on_bad_file not in ("fail", "skip"):
            raise ConfigError(f"`on_bad_file={self.on_bad_file!r}`: expected fail or skip")
        if not 0 <= self.rule_tolerance < 0.5:
            raise ConfigError(
                f"`rule_tolerance={self.rule_tolerance}`: expected a share from 0 to below 0.5"
            )

    @property
    def skip_bad_files(self) -> bool:
        """Whether to go on without them."""
        return self.on_bad_file == "skip"

    def columns(self, source: Source) -> list[str]:
        """The names of the columns that are read."""
        return [name for name in source.schema.names if name not in self.exclude]

    def inferred(self, source: Source, sketch: TableSketch) -> Schema:
        """What the columns are taken for.

        Raises:
            SchemaError: a column's type or what is said of it cannot be used.
        """
        schema = Schema.infer(source.schema, sketch, source.left_out(self.exclude))
        return schema.override(self.schema) if self.schema else schema

    def found(
        self,
        source: Source,
        schema: Schema,
        sketch: TableSketch,
        reporter: Reporter,
        *,
        min_rows: int = MIN_CATEGORY_ROWS,
    ) -> FoundRules:
        """The rules that all rows keep, counted in a pass over them.

        Raises:
            SchemaError: a rule of the schema cannot be read, or rows break it.
        """
        if not self.rules:
            return FoundRules()
        with reporter.stage("rules") as stage:
            return found_rules(
                schema,
                sketch,
                lambda rules: source.tally(rules, stage),
                min_rows=min_rows,
                tolerance=self.rule_tolerance,
            )

    def check(self, source: Source) -> None:
        """See, before a row is read, that the columns and what is said of them can be used.

        Raises:
            SchemaError: they cannot.
        """
        empty = source.schema.empty_table().select(self.columns(source))
        self.inferred(source, TableSketch.of(empty))
