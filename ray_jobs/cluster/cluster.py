"""A Ray cluster to work on: one started in this process, or one that is already running.

Nothing waits for ever: what a job needs is compared with what the cluster has before it starts.

Ray reads its environment when it is first imported, which is why these modules import it within
functions, after `connected` has set it.
"""

import logging
import os
import secrets
import socket
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gtcoder.errors import ConfigError, GTCoderError
from gtcoder.progress import Reporter, counted

WAIT_S = 300.0
"""How long a running cluster may take to grow to what a job needs."""
_SETTLE_S = 10.0
"""How long what an earlier stage or another job just left may take to be free again."""
_STEP_ROWS = 64
"""A worker without a GPU that computes fewer rows a step mostly waits for the others."""
_OBJECT_STORE_BYTES = 512 << 20
_ENVIRONMENT = {
    # Threads that spin at their barriers bring a training to a tenth of its speed as soon as
    # anything else wants the same cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # A pass may queue behind a training that holds all CPUs.
    "RAY_DATA_EXECUTION_NO_PROGRESS_TIMEOUT_S": "86400",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What one machine has, or has free."""

    cpus: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """What there is to work with."""

    machines: tuple[Machine, ...]
    local: bool
    """Whether it was started for this process and ends with it."""

    @property
    def cpus(self) -> int:
        """CPUs of all machines."""
        return sum(machine.cpus for machine in self.machines)

    @property
    def gpus(self) -> int:
        """GPUs of all machines."""
        return sum(machine.gpus for machine in self.machines)


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


@contextmanager
def connected(address: str | None, *, cpus: int | None = None) -> Iterator[Cluster]:
    """Connect to the cluster at an address, or start Ray in this process and end it afterwards.

    Within a Ray job, and where RAY_ADDRESS is set, that cluster is meant when no address is given.
    A Ray started here offers `cpus` CPUs, or as many as there are.

    Raises:
        ConfigError: there is no cluster at the address.
        GTCoderError: Ray itself failed meanwhile.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if address.startswith("ray://"):
        raise ConfigError(
            f"--address {address}: Ray Client cannot run these jobs; run the command on a machine "
            "of the cluster, with --address auto"
        )
    if address == "local" and "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        # Else Ray writes a token that all users can read to ~/.ray/auth_token.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray

    ours = not ray.is_initialized()
    if ours:
        _start(address, cpus)
    try:
        yield _cluster(local=address == "local")
    except ray.exceptions.RayError as error:
        raise GTCoderError(
            f"Ray failed: {first_line(error)}; the same command goes on where it stopped (a "
            "training with --resume)"
        ) from error
    finally:
        if ours:
            ray.shutdown()


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
    free = wait_free(cluster, kind, wanted, reporter)
    workers = min(wanted, free.gpus if use_gpu else free.cpus)
    least = workers if cluster.local else 1
    if use_gpu:
        return Workers(workers, 0, 1, least)
    return Workers(workers, _largest(free, workers), 0, least)


def wait_free(cluster: Cluster, kind: str, wanted: int, reporter: Reporter) -> Cluster:
    """What nobody else holds, once it is as many CPUs or GPUs as wanted, or in time at least one.

    Work of others ends some day, so this waits as long as it takes, and says so.
    """
    if cluster.local:
        return cluster
    started, told = time.monotonic(), False
    while True:
        free = _free(cluster)
        number = free.gpus if kind == "GPU" else free.cpus
        waited = time.monotonic() - started > _SETTLE_S
        if number >= wanted or (number and waited):
            return free
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
        cluster = _cluster(local=cluster.local)
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


def data_context() -> Any:
    """Ray Data's settings for our passes, which show their own progress."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    return context


def _start(address: str, cpus: int | None) -> None:
    import ray

    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        knock(address, host, int(port))
    local: dict[str, Any] = {
        "include_dashboard": False,
        "num_cpus": cpus,
        "object_store_memory": _OBJECT_STORE_BYTES,
    }
    try:
        with warnings.catch_warnings(), _no_native_stderr():
            warnings.simplefilter("ignore")
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **(local if address == "local" else {}),
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"--address {address}: no Ray cluster answers there ({first_line(error)})"
        ) from error


def knock(address: str, host: str, port: int) -> None:
    """See early that something listens: Ray itself would try for minutes.

    Raises:
        ConfigError: nothing does.
    """
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError as error:
        raise ConfigError(
            f"--address {address}: no Ray cluster answers there ({first_line(error)})"
        ) from error


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _no_native_stderr() -> Iterator[None]:
    """Hide what Ray's native code prints while it starts, such as the level of its own log."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _cluster(*, local: bool) -> Cluster:
    import ray

    return _of((node["Resources"] for node in ray.nodes() if node["Alive"]), local=local)


def _free(cluster: Cluster) -> Cluster:
    """What is not in use at this moment."""
    from ray._private.state import available_resources_per_node

    return _of(available_resources_per_node().values(), local=cluster.local)


def _of(nodes: Iterable[Mapping[str, float]], *, local: bool) -> Cluster:
    machines = [Machine(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]
    return Cluster(tuple(machines) or (Machine(0),), local)
