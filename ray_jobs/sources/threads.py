"""A pass over pieces by threads of this process, for what is not worth a Ray."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from gtcoder.progress import Stage

T = TypeVar("T")


def folded_here(
    things: Sequence[Any],
    work: Callable[[list[Any]], T],
    merge: Callable[[list[T]], T],
    *,
    rows: Callable[[Any], int],
    stage: Stage,
) -> T:
    """`work` done on each thing, and put together in their order; as `passes.folded`, without Ray.

    Memory does not grow with the things.
    """
    total, done = sum(map(rows, things)), 0
    result: list[T] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for thing, found in _in_turn(pool, work, things):
            result.append(found)
            if len(result) > 1:
                result = [merge(result)]
            done += rows(thing)
            stage.rows(done, total)
    assert result, "a table has rows"
    return result[0]


def _in_turn(
    pool: ThreadPoolExecutor, work: Callable[[list[Any]], T], things: Sequence[Any]
) -> Iterator[tuple[Any, T]]:
    """Results in the order of the things, a few ahead of whoever merges them."""
    ahead: deque[tuple[Any, Future[T]]] = deque()
    for thing in things:
        ahead.append((thing, pool.submit(work, [thing])))
        if len(ahead) > 2 * (os.cpu_count() or 1):
            first, future = ahead.popleft()
            yield first, future.result()
    for first, future in ahead:
        yield first, future.result()
