"""A pass over anything in Ray Data's tasks, whose answers are put together as a tree.

Each task answers with one row (see `answers`). Where there are many, the answers are merged in
tasks first, about √n of n in each, so that neither the driver's time nor its memory grows with
the table.
"""

import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import pyarrow as pa

from gtcoder.errors import TableError
from gtcoder.progress import Stage
from ray_jobs.cluster.answers import answered, merged, opened
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.connection import data_context
from ray_jobs.cluster.pool import pool

T = TypeVar("T")
U = TypeVar("U")

_MOST_TASKS = 4_096
"""Things are handed out in runs, so that there are no more tasks than these."""
_FEW_ANSWERS = 256
"""So many are merged by the driver alone."""
_PATHS = 32
"""Files that one task looks at."""

Merge = Callable[[list[T]], T]
Work = Callable[[list[Any]], T]


def folded(
    things: Sequence[Any],
    work: Work[T],
    merge: Merge[T],
    *,
    rows: Callable[[Any], int],
    stage: Stage,
    cluster: Cluster,
) -> T:
    """`work` done on all things, in tasks, and put together.

    Args:
        things: what is handed out, in order; each is pickled into the task that gets it.
        work: what a task does with a run of them.
        merge: puts results of neighbours together, in their order.
        rows: how many of the table's rows a thing stands for.
        stage: is told how far this is.
        cluster: to work on; it grows to the things.

    Raises:
        GTCoderError: what a task found wrong.
    """
    runs = _runs(things)
    total = sum(map(rows, things))
    counts = [sum(map(rows, run)) for run in runs]
    items = [
        {"things": pickle.dumps(run), "rows": count}
        for run, count in zip(runs, counts, strict=True)
    ]
    with _context():
        return put_together(_answers(items, work, cluster), merge, len(runs), total, stage)


def put_together(answers: Any, merge: Merge[T], count: int, total: int | None, stage: Stage) -> T:
    """The merged result of a dataset of about `count` answers.

    Raises:
        GTCoderError: what a task found wrong, or there is no answer at all.
    """
    if count > _FEW_ANSWERS:
        # The actors of the pass may hold all CPUs to its end, and what waits is in memory.
        answers = answers.map_batches(
            merged,
            batch_size=math.isqrt(count),
            batch_format="pyarrow",
            fn_kwargs={"merge": merge},
            num_cpus=0,
        )
    result: list[T] = []
    done = 0
    for row in answers.iter_rows():
        done += row["rows"]
        stage.rows(done, total)
        result.append(pickle.loads(opened(row, stage)))
        if len(result) > 1:
            result = [merge(result)]
    if not result:
        raise TableError("the table has no rows")
    return result[0]


def each_path(
    function: Callable[[str], U], paths: Sequence[str], *, cluster: Cluster
) -> Iterator[U]:
    """A function of every path, in their order, in the cluster's tasks.

    Raises:
        GTCoderError: what a task found wrong.
    """
    starts = [*range(0, len(paths), _PATHS), len(paths)]
    items = [{"things": pickle.dumps(list(paths[a:b])), "rows": 0} for a, b in pairwise(starts)]
    stage = Stage("look")
    with _context():
        for row in _answers(items, partial(_each, function), cluster).iter_rows():
            yield from pickle.loads(opened(row, stage))


def _each(function: Callable[[str], U], paths: list[str]) -> list[U]:
    return [function(path) for path in paths]


def _runs(things: Sequence[Any]) -> list[list[Any]]:
    tasks = min(len(things), _MOST_TASKS)
    bounds = [len(things) * i // tasks for i in range(tasks + 1)]
    return [list(things[a:b]) for a, b in pairwise(bounds)]


def _answers(items: list[dict[str, Any]], work: Work[Any], cluster: Cluster) -> Any:
    import ray.data

    return ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        _Worker,
        fn_constructor_kwargs={"work": work},
        batch_size=None,
        batch_format="pyarrow",
        compute=pool(cluster, len(items), ahead=2),
        num_cpus=1,
    )


class _Worker:
    """An actor of a pass: it is told once what to do, then gets one run of things after another."""

    def __init__(self, work: Work[Any]) -> None:
        self._work = work

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Work on the runs in a batch, which is one."""
        [run] = batch.to_pylist()
        things = pickle.loads(run["things"])
        return answered(lambda: pickle.dumps(self._work(things)), rows=run["rows"])


def _context() -> Any:
    import ray.data

    return ray.data.DataContext.current(data_context())
