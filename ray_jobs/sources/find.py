"""The source that a user names: files by path, glob or URI, or a Delta or Iceberg table."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gtcoder.progress import Reporter
from gtcoder.schema.typed import retyped, wanted_types
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.connection import connected, is_named
from ray_jobs.cluster.waiting import wait_for
from ray_jobs.sources.located import located
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
    with ExitStack() as stack:
        cluster = None
        if needs_cluster(table, address):
            cluster = stack.enter_context(connected(address))
            cluster = wait_for(cluster, {"CPU": 1}, reporter, wait_s=options.wait_s)
        yield find(table, options, cluster)
