"""The connection to a Ray cluster: one started in this process, or one that is already running.

Ray reads its environment when it is first imported, which is why these modules import it within
functions, after `connected` has set it.
"""

import logging
import os
import secrets
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from gtcoder.errors import ConfigError, GTCoderError
from ray_jobs.cluster.cluster import Cluster, alone, present
from ray_jobs.stopping import start_of_ray

_OBJECT_STORE_BYTES = 512 << 20
ENVIRONMENT = {
    # Threads that spin at their barriers bring a training to a tenth of its speed as soon as
    # anything else wants the same cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
}
"""Of every Ray that is started here."""
_OF_JOBS = {
    # A pass may queue behind a training that holds all CPUs.
    "RAY_DATA_EXECUTION_NO_PROGRESS_TIMEOUT_S": "86400",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
}


@contextmanager
def connected(
    address: str | None, *, goes_on: str = "", cpus: int | None = None
) -> Iterator[Cluster]:
    """Connect to the cluster at an address, or start Ray in this process and end it afterwards.

    Within a Ray job, and where RAY_ADDRESS is set, that cluster is meant when no address is given.

    Args:
        address: of the cluster.
        goes_on: how the work goes on after a machine or the cluster is lost, if it does.
        cpus: a Ray started here offers so many CPUs, or as many as there are.

    Raises:
        ConfigError: there is no cluster at the address.
        GTCoderError: Ray could not be started, or failed meanwhile.
    """
    for name, value in (ENVIRONMENT | _OF_JOBS).items():
        os.environ.setdefault(name, value)
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if address.startswith("ray://"):
        raise ConfigError(
            f"--address {address}: Ray Client cannot run these jobs; run the command on a machine "
            "of the cluster, with --address auto"
        )
    if address == "local" and "ray" not in sys.modules:
        set_own_token()
    import ray

    ours = not ray.is_initialized()
    if ours:
        _start(address, cpus)
    try:
        yield present(local=address == "local" and (ours or alone()))
    except ray.exceptions.RayError as error:
        raise GTCoderError(_failure(error, goes_on)) from error
    finally:
        if ours:
            ray.shutdown()


def is_named(address: str | None) -> bool:
    """Whether a running cluster is meant, by its address or by where this process runs."""
    return (address or os.environ.get("RAY_ADDRESS") or "local") != "local"


def _failure(error: Exception, goes_on: str) -> str:
    """What went wrong in Ray, in one line, and what can be done: no promise that would not hold."""
    from ray import exceptions

    if isinstance(error, exceptions.OutOfMemoryError):
        return (
            "a machine ran out of memory, so Ray ended a task; take fewer --num-workers or larger "
            f"machines{'; then ' + goes_on if goes_on else ''}"
        )
    if isinstance(error, exceptions.RayTaskError):  # it would fail in the same way again
        cause = error.cause if isinstance(error.cause, BaseException) else error
        said = [line for line in str(cause).strip().splitlines() if line.strip()]
        return f"a task failed: {type(cause).__name__}: {said[-1].strip() if said else 'no reason'}"
    lost = f"Ray failed: {type(error).__name__}: {first_line(error)}"
    return f"{lost}; {goes_on}" if goes_on else lost


def set_own_token() -> None:
    """Let a Ray that is started here have a token of its own, unless it is told what to do.

    Else it writes one that all users can read to ~/.ray/auth_token.
    """
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextmanager
def own_agent_port() -> Iterator[None]:
    """Let a Ray that is started here take jobs at any free port.

    `ray.init` cannot be told one: every Ray on a machine wants 52365, and all but the first would
    take none.
    """
    from ray._private import parameter

    made = parameter.RayParams
    parameter.RayParams = partial(made, dashboard_agent_listen_port=0)
    try:
        yield
    finally:
        parameter.RayParams = made


def data_context() -> Any:
    """Ray Data's settings for our passes, which show their own progress."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.autoscaling_config.actor_pool_util_upscaling_threshold = 1.0  # one piece an actor
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
        with start_of_ray(), own_agent_port(), warnings.catch_warnings(), _no_native_stderr():
            warnings.simplefilter("ignore")
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **(local if address == "local" else {}),
            )
    except Exception as error:  # Ray raises a bare Exception where a process of its own is late
        if address == "local":
            raise GTCoderError(
                f"Ray could not start on this machine ({first_line(error)}); it may be too busy or "
                "short of memory: try again, or join a running cluster with --address"
            ) from error
        if not isinstance(error, ConnectionError | RuntimeError | ValueError):
            raise
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
