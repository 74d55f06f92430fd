"""Independent pieces of work at once, each on one core."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def at_once(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The function's result of each item, in their order, by as many threads.

    A library's own threads are held to one in each: they wait for one another at every small step,
    and what is summed by one thread is the same on every machine.
    """
    given = list(items)
    pool = ThreadPoolExecutor(len(given), initializer=threadpool_limits, initargs=(1, "openmp"))
    try:
        return list(pool.map(function, given))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who stops this does not wait for the rest
