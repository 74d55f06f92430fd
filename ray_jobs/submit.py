"""Ray Jobs: the same command line, run on a cluster, with its log followed from here.

What runs there is one of a fixed list of commands of this package, which rides along with the job;
the arguments are quoted, never read by a shell.
"""

import asyncio
import os
import secrets
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gtcoder.errors import ConfigError
from ray_jobs.cluster.connection import first_line, knock
from ray_jobs.cluster.progress import Reporter

VERBS = ("train", "generate", "evaluate", "benchmark")
"""What can be submitted."""
DASHBOARD = "http://127.0.0.1:8265"
"""Where a cluster on this machine, or a tunnel to one (`ray dashboard`), answers."""
_PACKAGES = ("gtcoder", "ray_jobs")
_KEPT = ("--out", "--storage")
"""Options that name what must outlive the job."""
_SECONDS_BETWEEN_TRIES = 2.0


def submit(
    verb: str,
    arguments: Sequence[str],
    address: str | None,
    working_dir: str | None,
    reporter: Reporter,
) -> str:
    """Start a command on a cluster; the job's ID.

    Raises:
        ConfigError: the command cannot be submitted, or there is no such cluster.
    """
    if verb not in VERBS:
        raise ConfigError(f"cannot submit {verb!r}; there are: {', '.join(VERBS)}")
    _check_places(arguments, working_dir, reporter)
    url = dashboard(address)
    with _client(url) as client:
        job: str = client.submit_job(
            entrypoint=shlex.join(["python", "-m", "ray_jobs.cli", verb, *arguments]),
            submission_id=f"{verb}-{secrets.token_hex(4)}",
            runtime_env=_environment(working_dir),
        )
    return job


def follow(job: str, address: str | None) -> int:
    """Print a job's log until it ends; its exit code.

    Raises:
        ConfigError: there is no such cluster or job.
    """
    url = dashboard(address)
    with _client(url, job) as client:
        client.get_job_info(job)
        log = _Log(client, job)
        while not asyncio.run(log.print()):
            time.sleep(_SECONDS_BETWEEN_TRIES)
        while not (info := client.get_job_info(job)).status.is_terminal():
            time.sleep(_SECONDS_BETWEEN_TRIES)
    if info.status == "SUCCEEDED":
        return 0
    return int(info.driver_exit_code or 1)


def stop(job: str, address: str | None) -> bool:
    """End a job; whether it was running.

    Raises:
        ConfigError: there is no such cluster or job.
    """
    url = dashboard(address)
    with _client(url, job) as client:
        return bool(client.stop_job(job))


def jobs(address: str | None) -> Iterator[str]:
    """A line for every job submitted to a cluster, the oldest first.

    Raises:
        ConfigError: there is no such cluster.
    """
    url = dashboard(address)
    with _client(url) as client:
        found = [job for job in client.list_jobs() if job.submission_id]
    for job in sorted(found, key=lambda job: job.start_time or 0):
        began = datetime.fromtimestamp((job.start_time or 0) / 1000)
        yield f"{job.submission_id}  {job.status:<9}  {began:%Y-%m-%d %H:%M}  {_command(job)}"


def dashboard(address: str | None) -> str:
    """The address of a cluster's dashboard: as given, from Ray's variables, or on this machine.

    Raises:
        ConfigError: it is not one.
    """
    named = [address, os.environ.get("RAY_API_SERVER_ADDRESS"), os.environ.get("RAY_ADDRESS")]
    url = next((each for each in named if each), DASHBOARD)
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
        raise ConfigError(
            f"--address {url}: expected the address of the cluster's dashboard, such as {DASHBOARD}"
        )
    return url.rstrip("/")


def _check_places(arguments: Sequence[str], working_dir: str | None, reporter: Reporter) -> None:
    """Say what a job would not find, or lose when it ends."""
    for option, value in _pairs(arguments):
        if option in _KEPT and "://" not in value and not os.path.isabs(value):
            raise ConfigError(
                f"{option} {value}: a job's own folder goes when it ends; give a URI such as "
                "s3://, or the full path of a folder that all machines of the cluster share"
            )
    for value in arguments:
        if "://" in value or value.startswith("-") or not Path(value).exists():
            continue
        if os.path.isabs(value) or working_dir is None:
            reporter.warn(
                f"{value} is here; the job looks for it on the cluster. A URI such as s3:// is the "
                "same everywhere, and --working-dir takes a folder of small files along"
            )


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, written `--out x` or `--out=x`."""
    for first, second in zip(arguments, [*arguments[1:], ""], strict=True):
        option, equals, value = first.partition("=")
        yield option, value if equals else second


def _environment(working_dir: str | None) -> dict[str, Any]:
    """What the job brings: this package as it is installed here, and a folder if one is named."""
    import importlib.util

    specs = [importlib.util.find_spec(name) for name in _PACKAGES]
    folders = [str(Path(spec.origin).parent) for spec in specs if spec and spec.origin]
    environment: dict[str, Any] = {"py_modules": folders, "excludes": ["__pycache__"]}
    if working_dir is not None:
        if not Path(working_dir).is_dir():
            raise ConfigError(f"--working-dir {working_dir}: no such folder")
        environment["working_dir"] = working_dir
    return environment


@contextmanager
def _client(url: str, job: str = "") -> Iterator[Any]:
    """A connection to a dashboard; what goes wrong at the other end becomes one line."""
    token = Path.home() / ".ray" / "auth_token"
    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() or token.exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ["RAY_API_SERVER_ADDRESS"] = url  # Ray lets its variables overrule the argument
    import requests
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    parts = urlsplit(url)
    try:
        knock(url, parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme])
        yield JobSubmissionClient(url)
    except AuthenticationError as error:
        raise ConfigError(
            f"--address {url}: the cluster does not accept the token "
            f"({first_line(error).partition(':')[0]}); set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH "
            "to the file that has the cluster's"
        ) from error
    except (requests.RequestException, ConnectionError) as error:
        raise ConfigError(
            f"--address {url}: no Ray dashboard answers there ({first_line(error)})"
        ) from error
    except RuntimeError as error:
        if job and "404" in str(error):
            raise ConfigError(
                f"no job {job} on {url}; `gtcoder jobs` lists those there are"
            ) from error
        raise ConfigError(f"{url}: {first_line(error)}") from error


class _Log:
    """A job's log on its way to the terminal; a connection that is lost costs no line."""

    def __init__(self, client: Any, job: str) -> None:
        self.client, self.job = client, job
        self.printed = 0
        """Characters so far."""

    async def print(self) -> bool:
        """Print it as it grows, from where the last call stopped; whether to its end."""
        position = 0
        try:
            async for text in self.client.tail_job_logs(self.job):
                fresh = text[max(0, self.printed - position) :]
                position += len(text)
                self.printed = max(self.printed, position)
                print(fresh, end="", flush=True)
        except (RuntimeError, OSError):
            # The cluster's answer to the next question tells whether it is only the connection.
            return bool(self.client.get_job_info(self.job).status.is_terminal())
        return True


def _command(job: Any) -> str:
    """What a job does, without the part that is the same for all."""
    return str(job.entrypoint).removeprefix("python -m ray_jobs.cli ")
