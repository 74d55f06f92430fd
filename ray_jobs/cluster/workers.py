"""How many workers a training has, and how large they are."""

import time
from dataclasses import dataclass

from gtcoder.progress import Reporter, counted
from ray_jobs.cluster.cluster import Cluster, free
from ray_jobs.cluster.waiting import WAIT_S, wait_for

_SETTLE_S = 10.0
"""How long what an earlier stage just left may take to be free again."""
_STEP_ROWS = 64
"""A worker that computes fewer rows a step mostly waits for the others."""
_GPU_STEP_ROWS = 512
"""The same of a worker with a GPU, which computes them at once: 4 share the largest batch."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How many workers of what size."""

    count: int
    """At most."""
    cpus: int
    """For each."""
    gpus: int
    """For each."""
    least: int
    """So few may begin, and go on when machines are lost."""

    @property
    def resources(self) -> dict[str, float]:
        """One worker's, as Ray writes them."""
        both = {"CPU": float(self.cpus), "GPU": float(self.gpus)}
        return {kind: number for kind, number in both.items() if number}


def train_workers(
    cluster: Cluster,
    most: int | None,
    *,
    batch_rows: int,
    use_gpu: bool,
    reporter: Reporter,
    wait_s: float = WAIT_S,
) -> Workers:
    """The workers of a training, which begins with what there is and grows to what pays.

    By default as many pay as have enough rows of a batch each. With a GPU a worker takes no CPU of
    Ray's, so that neither waits for the passes over tables nor they for it.

    Raises:
        ConfigError: there is no CPU or GPU, and none came in time.
    """
    kind = "GPU" if use_gpu else "CPU"
    cluster = wait_for(cluster, {kind: 1}, reporter, wait_s=wait_s)
    wanted = most or max(1, batch_rows // (_GPU_STEP_ROWS if use_gpu else _STEP_ROWS))
    left = _settled(cluster, kind, wanted)
    first = min(wanted, max(1, left.count(kind)))
    if first < wanted and (most or not cluster.local):
        more = "" if cluster.local else "; others join when there is room"
        reporter.note(f"{counted(first, 'worker')} of at most {wanted:,} to begin with{more}")
    cpus, gpus = (0, 1) if use_gpu else (_largest(left, first), 0)
    if cluster.local:
        return Workers(first, cpus, gpus, least=first)
    return Workers(wanted, cpus, gpus, least=1)


def _settled(cluster: Cluster, kind: str, wanted: int) -> Cluster:
    """What nobody else holds, once what an earlier stage held is free again."""
    if cluster.local:
        return cluster
    until = time.monotonic() + _SETTLE_S
    wanted = min(wanted, cluster.count(kind))
    while (left := free(cluster)).count(kind) < wanted and time.monotonic() < until:
        time.sleep(0.5)
    return left


def _largest(cluster: Cluster, count: int) -> int:
    """The most CPUs that each of `count` workers can have."""
    return max(
        (
            cpus
            for cpus in range(1, max(machine.cpus for machine in cluster.machines) + 1)
            if sum(machine.cpus // cpus for machine in cluster.machines) >= count
        ),
        default=1,
    )
