"""The source that a user names: files by path, glob or URI, or a Delta or Iceberg table."""

from collections.abc import Iterator
from contextlib import contextmanager

from gtcoder.progress import Reporter
from gtcoder.schema.typed import retyped, wanted_types
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.connection import connected, is_named
from ray_jobs.cluster.waiting import wait_for
from ray_jobs.sources.located import LocatedTable, located
from ray_jobs.sources.named import named_table
from ray_jobs.sources.options import ReadOptions
from ray_jobs.sources.source import Source


def needs_cluster(table: str, address: str | None) -> bool:
    """Whether to connect before a table is looked at: Ray Data reads it, or a cluster's tasks do.

    On this machine alone nothing is gained, and what is wrong with files is said sooner.
    """
    return is_named(address) or named_table(table) is not None


def find(table: str, options: ReadOptions, cluster: Cluster | None) -> Source:
    """Find a table; tasks of a cluster that is not this machine alone look at its files.

    Raises:
        TableError: nothing is there, or it cannot be read.
        ConfigError: what is said of it cannot be used.
    """
    there = named_table(table)
    source: Source = there.source() if there is not None else located(table, options, cluster)
    wanted = wanted_types(options.schema, source.schema)
    return source.typed(retyped(source.schema, wanted)) if wanted else source


@contextmanager
def reading(
    table: str, options: ReadOptions, address: str | None, reporter: Reporter
) -> Iterator[Source]:
    """A table that is only looked at: no Ray is started where threads of this process do.

    Raises:
        TableError: nothing is there, or it cannot be read.
    """
    needed = needs_cluster(table, address)
    with _cluster(options, address, reporter, needed=needed) as cluster:
        yield find(table, options, cluster)


@contextmanager
def files_of(
    table: str, options: ReadOptions, address: str | None, reporter: Reporter, *, goes_on: str
) -> Iterator[LocatedTable]:
    """A table of any kind as its files, in an order that is always the same.

    No Ray is started where there is no address.

    Raises:
        TableError: nothing is there, or its files alone do not say what the rows are.
    """
    needed = is_named(address)
    with _cluster(options, address, reporter, needed=needed, goes_on=goes_on) as cluster:
        yield located(table, options, cluster, named_table(table))


@contextmanager
def _cluster(
    options: ReadOptions,
    address: str | None,
    reporter: Reporter,
    *,
    needed: bool,
    goes_on: str = "",
) -> Iterator[Cluster | None]:
    """The cluster at an address, or none where none is needed."""
    if not needed:
        yield None
        return
    with connected(address, goes_on=goes_on) as cluster:
        yield wait_for(cluster, {"CPU": 1}, reporter, wait_s=options.wait_s)
