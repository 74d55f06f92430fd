"""How many workers fit into a cluster, and the wait for room: nothing waits for ever unsaid.

What a job needs is compared with what the cluster has before it starts.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter, counted
from ray_jobs.cluster.cluster import Cluster, free, present

WAIT_S = 300.0
"""How long a running cluster may take to grow to what a job needs."""
_SETTLE_S = 10.0
"""How long what an earlier stage or another job just left may take to be free again."""
_STEP_ROWS = 64
"""A worker without a GPU that computes fewer rows a step mostly waits for the others."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How many workers of what size."""

    count: int
    cpus: int
    """For each."""
    gpus: int
    """For each."""
    least: int
    """So few may go on when machines are lost, until they are replaced."""

    @property
    def resources(self) -> dict[str, float]:
        """One worker's, as Ray writes them."""
        both = {"CPU": float(self.cpus), "GPU": float(self.gpus)}
        return {kind: number for kind, number in both.items() if number}


def train_ready(
    cluster: Cluster, count: int | None, *, use_gpu: bool, reporter: Reporter
) -> Cluster:
    """The cluster once the passes over a table can start, and a training may follow.

    Raises:
        ConfigError: the cluster has too few CPUs or GPUs, and does not grow.
    """
    if use_gpu and cluster.local:
        cluster = wait_for(cluster, {"GPU": 1}, count or 1)
    else:  # elsewhere GPUs are asked for when the rows are encoded
        cluster = wait_for(cluster, {"CPU": 1}, 1 if use_gpu else count or 1)
    wait_free(cluster, "CPU", 1, reporter)
    return cluster


def train_workers(
    cluster: Cluster, count: int | None, *, batch_rows: int, use_gpu: bool, reporter: Reporter
) -> Workers:
    """The workers of a training that fit beside what others hold.

    By default there is one a GPU, or one a CPU as long as each has enough rows of a batch. With a
    GPU a worker takes no CPU, so that neither waits for the passes over tables nor they for it.

    Raises:
        ConfigError: the cluster has too few CPUs or GPUs, and does not grow.
    """
    kind = "GPU" if use_gpu else "CPU"
    cluster = wait_for(cluster, {kind: 1}, count or 1)
    if use_gpu:
        wanted = count or cluster.gpus
    else:
        wanted = count or min(cluster.cpus, max(1, batch_rows // _STEP_ROWS))
    left = wait_free(cluster, kind, wanted, reporter)
    workers = min(wanted, left.gpus if use_gpu else left.cpus)
    least = workers if cluster.local else 1
    if use_gpu:
        return Workers(workers, 0, 1, least)
    return Workers(workers, _largest(left, workers), 0, least)


def wait_free(cluster: Cluster, kind: str, wanted: int, reporter: Reporter) -> Cluster:
    """What nobody else holds, once it is as many CPUs or GPUs as wanted, or in time at least one.

    Work of others ends some day, so this waits as long as it takes, and says so.
    """
    if cluster.local:
        return cluster
    started, told = time.monotonic(), False
    while True:
        left = free(cluster)
        number = left.gpus if kind == "GPU" else left.cpus
        waited = time.monotonic() - started > _SETTLE_S
        if number >= wanted or (number and waited):
            return left
        if waited and not told:
            reporter.note(f"waiting for a {kind}: others hold all that the cluster has")
            told = True
        time.sleep(1)


def wait_for(cluster: Cluster, each: Mapping[str, float], count: int) -> Cluster:
    """The cluster once it has room for `count` workers, however small.

    Raises:
        ConfigError: it has not, and does not grow to have.
    """
    if count < 1:
        raise ConfigError(f"--num-workers must be at least 1, not {count}")
    if _has_room(cluster, each, count):
        return cluster
    if cluster.local:
        raise _too_small(cluster, each, count)
    from ray.autoscaler.sdk import request_resources

    request_resources(bundles=[dict(each)] * count)
    try:
        return _grown(cluster, each, count)
    finally:  # else the machines would be kept, and paid for, when all work is done
        request_resources(bundles=[])


def _grown(cluster: Cluster, each: Mapping[str, float], count: int) -> Cluster:
    deadline = time.monotonic() + WAIT_S
    while not _has_room(cluster, each, count):
        if time.monotonic() >= deadline:
            raise _too_small(cluster, each, count)
        time.sleep(2)
        cluster = present(local=cluster.local)
    return cluster


def _too_small(cluster: Cluster, each: Mapping[str, float], count: int) -> ConfigError:
    needed = " and ".join(counted(count, kind) for kind in each)
    return ConfigError(
        f"{counted(count, 'worker')} cannot run without {needed}; the cluster has "
        f"{counted(cluster.cpus, 'CPU')} and {counted(cluster.gpus, 'GPU')}; lower "
        "--num-workers"
        + (", or leave --use-gpu out" if "GPU" in each else "")
        + ("" if cluster.local else ", or add machines")
    )


def _has_room(cluster: Cluster, each: Mapping[str, float], count: int) -> bool:
    return all((cluster.gpus if kind == "GPU" else cluster.cpus) >= count for kind in each)


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
