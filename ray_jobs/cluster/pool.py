"""The actors of a pass: as many as there is work for, so that a cluster grows to the work."""

from typing import Any

from ray_jobs.cluster.cluster import Cluster

AT_ONCE = 100
"""So many actors are asked for before there is room for them. A thousand that wait slow a job
down several times; what is beyond grows with the cluster, by Ray Data's own scaling."""


def pool(cluster: Cluster, work: int, most: int | None = None, *, ahead: int = 1) -> Any:
    """A pool of actors for so many pieces of work, at most `most` of them.

    Ray Data's own scaling begins with one actor and takes its pace from what was done so far, and
    no cluster grows to actors that nobody asks for. Those that have no room yet are what it grows
    to. An actor takes one piece at a time: none waits behind another while a new machine is idle.

    Args:
        cluster: to work on.
        work: how many pieces there are.
        most: actors at most.
        ahead: pieces that an actor has at once. Where they are short, two: else it waits for the
            next as long as it works.
    """
    import ray.data

    least, size = bounds(cluster, work, most)
    return ray.data.ActorPoolStrategy(
        min_size=least, max_size=size, max_tasks_in_flight_per_actor=ahead
    )


def bounds(cluster: Cluster, work: int, most: int | None) -> tuple[int, int]:
    """How many actors are asked for at once, and how many there may be."""
    size = min(work, most or work)
    return min(size, max(1, cluster.cpus + (0 if cluster.local else AT_ONCE))), size
