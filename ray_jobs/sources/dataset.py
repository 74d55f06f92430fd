"""A dataset of Ray Data as the source of a training: each block is a task's."""

import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import pyarrow as pa

from gtcoder.errors import ConfigError, TableError
from gtcoder.progress import Stage
from gtcoder.rules.rule import Rule
from gtcoder.rules.tally import Tally, all_merged, tallied
from gtcoder.sketch.table import TableSketch
from gtcoder.table.table import conformed
from gtcoder.table.unify import unify
from gtcoder.training.rows.parts import Written
from ray_jobs.cluster.answers import answered
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.connection import data_context
from ray_jobs.cluster.passes import put_together
from ray_jobs.sources.encoding import Encoding
from ray_jobs.sources.source import Look

_MANY = 256
"""How many blocks a dataset has is not known beforehand; so many answers are reckoned with."""


@dataclass(frozen=True)
class DatasetSource:
    """A dataset that gives the same rows whenever it is read."""

    dataset: Any
    uri: str
    schema: pa.Schema
    fingerprint: str = ""

    @classmethod
    def of(cls, dataset: Any, *, uri: str = "dataset", fingerprint: str = "") -> Self:
        """A dataset, and what it is called.

        Raises:
            TableError: it has no columns or no rows.
        """
        return cls(dataset, uri, _arrow_schema(dataset, uri), fingerprint)

    described = property(lambda self: [f"{self.uri}: read by Ray Data"])
    notes = property(lambda self: ())
    skipped = property(lambda self: {})
    info = property(lambda self: {})

    def on(self, cluster: Cluster) -> Self:
        """Itself: Ray Data reads it wherever there is room."""
        return self

    def typed(self, schema: pa.Schema) -> Self:
        """The same columns in other types."""
        return replace(self, schema=schema)

    def left_out(self, exclude: Iterable[str]) -> list[str]:
        """The columns of the schema that are excluded."""
        return list(exclude)

    def less(self, skipped: Mapping[str, str]) -> Self:
        """Itself: Ray Data has no files that could be left out."""
        return self

    def sketch(
        self,
        columns: Sequence[str],
        stage: Stage,
        *,
        skip_bad_files: bool = False,
        look: Look = TableSketch.of,
    ) -> tuple[TableSketch, Self]:
        """The sketch of some columns of all rows.

        Raises:
            ConfigError: files are to be skipped.
            TableError: a block has other columns or types, or there is no row.
        """
        if skip_bad_files:
            raise ConfigError(f"{self.uri} is read by Ray Data, which cannot skip bad files")
        sketch: TableSketch = self._folded(columns, look, TableSketch.joined, None, stage)
        if not sketch.rows:
            raise TableError(f"{self.uri}: the table has no rows")
        return sketch, self

    def tally(self, rules: Sequence[Rule], stage: Stage) -> list[Tally]:
        """How many of all rows keep each rule."""
        columns = list(dict.fromkeys(name for rule in rules for name in rule.columns))
        found: list[Tally] = self._folded(columns, partial(tallied, rules), all_merged, None, stage)
        return found

    def some(self, columns: Sequence[str], share: float) -> pa.Table:
        """About a share of the rows, drawn at random, in memory."""
        import ray.data

        wanted = pa.schema([self.schema.field(name) for name in columns])
        with ray.data.DataContext.current(data_context()):
            drawn = self.dataset.select_columns(list(columns)).random_sample(share, seed=0)
            blocks = drawn.iter_batches(batch_size=None, batch_format="pyarrow")
            parts = [conformed(block, {}, wanted, f"a block of {self.uri}") for block in blocks]
        return pa.concat_tables([wanted.empty_table(), *parts]).unify_dictionaries()

    def encode(self, job: Encoding, stage: Stage) -> Written:
        """Encode all blocks; a part is called after its content, for blocks have no names."""
        columns = job.codec().schema.names
        written: Written = self._folded(
            columns, _Encoder(job), Written.joined, job.table_rows, stage
        )
        return written

    def _folded(
        self, columns: Sequence[str], work: Any, merge: Any, rows: int | None, stage: Stage
    ) -> Any:
        """What `work` gives for every block, put together."""
        import ray.data

        wanted = pa.schema([self.schema.field(name) for name in columns])
        with ray.data.DataContext.current(data_context()):
            answers = self.dataset.select_columns(list(columns)).map_batches(
                _worked,
                batch_size=None,
                batch_format="pyarrow",
                fn_kwargs={"work": work, "schema": wanted, "uri": self.uri},
            )
            return put_together(answers, merge, _MANY, rows, stage)


@dataclass(frozen=True)
class _Encoder:
    job: Encoding

    def __call__(self, block: pa.Table) -> Written:
        return self.job.write(self.job.codec(), [block] if len(block) else [], None)


def _worked(block: pa.Table, *, work: Any, schema: pa.Schema, uri: str) -> pa.Table:
    """One task."""
    return answered(
        lambda: pickle.dumps(work(conformed(block, {}, schema, f"a block of {uri}"))),
        rows=len(block),
    )


def _arrow_schema(dataset: Any, uri: str) -> pa.Schema:
    """The columns of a dataset, whatever its blocks are.

    Ray Data knows the first block's. Where that is no Arrow schema, or a column has nothing but
    nulls in it, all blocks are asked.
    """
    import ray.data

    with ray.data.DataContext.current(data_context()):
        found = dataset.schema()
        if found is None or not found.names:
            raise TableError(f"{uri}: the table has no rows")
        schema = found.base_schema
        if isinstance(schema, pa.Schema) and not any(map(pa.types.is_null, schema.types)):
            return pa.schema([field.remove_metadata() for field in schema])
        asked = dataset.map_batches(_schema_of, batch_size=None, batch_format="pyarrow")
        blocks = {row["schema"]: None for row in asked.iter_rows()}
    schemas = [pa.ipc.read_schema(pa.py_buffer(block)) for block in blocks]
    return unify((f"block {at} of {uri}", each) for at, each in enumerate(schemas))


def _schema_of(block: pa.Table) -> pa.Table:
    schema = block.schema.remove_metadata().serialize().to_pybytes()
    return pa.table({"schema": pa.array([schema] if len(block) else [], pa.binary())})
