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
from ray_jobs.cluster.connection import data_context

T = TypeVar("T")
U = TypeVar("U")

_MOST_TASKS = 4_096
"""Things are handed out in runs, so that there are no more tasks than these."""
_FEW_ANSWERS = 64
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
) -> T:
    """`work` done on all things, in tasks, and put together.

    Args:
        things: what is handed out, in order; each is pickled into the task that gets it.
        work: what a task does with a run of them.
        merge: puts results of neighbours together, in their order.
        rows: how many of the table's rows a thing stands for.
        stage: is told how far this is.

    Raises:
        GTCoderError: what a task found wrong.
    """
    runs = _runs(things)
    total = sum(map(rows, things))
    counts = [sum(map(rows, run)) for run in runs]
    with _context():
        answers = _items(
            [
                {"things": pickle.dumps(run), "rows": count}
                for run, count in zip(runs, counts, strict=True)
            ]
        ).map_batches(_worked, batch_size=None, batch_format="pyarrow", fn_kwargs={"work": work})
        return put_together(answers, merge, len(runs), total, stage)


def put_together(answers: Any, merge: Merge[T], count: int, total: int | None, stage: Stage) -> T:
    """The merged result of a dataset of about `count` answers.

    Raises:
        GTCoderError: what a task found wrong, or there is no answer at all.
    """
    if count > _FEW_ANSWERS:
        # Another number of CPUs keeps Ray Data from fusing this into the tasks before.
        answers = answers.map_batches(
            merged,
            batch_size=math.isqrt(count),
            batch_format="pyarrow",
            fn_kwargs={"merge": merge},
            num_cpus=0.5,
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


def each_path(function: Callable[[str], U], paths: Sequence[str]) -> Iterator[U]:
    """A function of every path, in their order, in the cluster's tasks.

    Raises:
        GTCoderError: what a task found wrong.
    """
    starts = [*range(0, len(paths), _PATHS), len(paths)]
    runs = [list(paths[a:b]) for a, b in pairwise(starts)]
    stage = Stage("look")
    with _context():
        answers = _items([{"things": pickle.dumps(run), "rows": 0} for run in runs]).map_batches(
            _worked,
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"work": partial(_each, function)},
        )
        for row in answers.iter_rows():
            yield from pickle.loads(opened(row, stage))


def _each(function: Callable[[str], U], paths: list[str]) -> list[U]:
    return [function(path) for path in paths]


def _runs(things: Sequence[Any]) -> list[list[Any]]:
    tasks = min(len(things), _MOST_TASKS)
    bounds = [len(things) * i // tasks for i in range(tasks + 1)]
    return [list(things[a:b]) for a, b in pairwise(bounds)]


def _worked(batch: pa.Table, *, work: Work[Any]) -> pa.Table:
    """One task."""
    [run] = batch.to_pylist()
    return answered(lambda: pickle.dumps(work(pickle.loads(run["things"]))), rows=run["rows"])


def _items(items: list[dict[str, Any]]) -> Any:
    import ray.data

    return ray.data.from_items(items, override_num_blocks=len(items))


def _context() -> Any:
    import ray.data

    return ray.data.DataContext.current(data_context())
