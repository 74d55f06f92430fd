"""`fit`: a bundle from a dataset of Ray Data."""

import tempfile
from contextlib import ExitStack
from typing import Any

from gtcoder.bundle import Bundle
from gtcoder.progress import Reporter
from gtcoder.table.files import absolute, join
from ray_jobs.cluster.connection import connected
from ray_jobs.cluster.waiting import wait_for
from ray_jobs.owner import owned
from ray_jobs.sources.dataset import DatasetSource
from ray_jobs.training.learn import TrainOptions, learn
from ray_jobs.training.run_folder import clear, prepare


def fit(
    dataset: Any, *, storage: str | None = None, verbose: bool = False, **options: Any
) -> Bundle:
    """Learn a dataset, as `gtcoder train` learns a table.

    The dataset is read twice, and has to give the same rows both times; `materialize` one that is
    slow to make or that does not. Ray is used as it was initialised, else started here.

    Args:
        dataset: a `ray.data.Dataset` of flat rows.
        storage: a folder or URI that all machines share, for encoded rows and checkpoints; they
            are removed at the end. On one machine a temporary folder does.
        verbose: whether to show what the columns are taken for, and how far this is.
        **options: `epochs`, `max_time_s`, `exclude` and the rest of `TrainOptions`.

    Returns:
        The bundle; `bundle.save(path)` keeps it.

    Raises:
        GTCoderError: what can be mended, in one line.
        TypeError: there is no such option.
    """
    chosen, reporter = TrainOptions(**options), Reporter(quiet=not verbose)
    with ExitStack() as stack:
        if storage is None:
            storage = stack.enter_context(tempfile.TemporaryDirectory())
        run = join(absolute(storage), "dataset.run")
        cluster = stack.enter_context(connected(None))
        source = DatasetSource.of(dataset)
        chosen.check(source)
        stack.enter_context(owned(run, "training", reporter))
        prepare(run, {}, resume=False, overwrite=False)
        cluster = wait_for(cluster, {"CPU": 1}, reporter, wait_s=chosen.wait_s)
        bundle, _ = learn(source, chosen, run, resumed=False, cluster=cluster, reporter=reporter)
        clear(run)
    return bundle
