"""Ray Jobs: the client of a cluster's job server, for the command line and for the service.

What runs there are commands of this package; their arguments are quoted, never read by a shell.
"""

import asyncio
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gtcoder.errors import ConfigError
from ray_jobs.cluster.connection import first_line, knock

DASHBOARD = "http://127.0.0.1:8265"
"""Where a cluster on this machine, or a tunnel to one (`ray dashboard`), answers."""
_PROGRAM = ("python", "-m", "ray_jobs.cli")
_LOOK_S = 2.0
_END_S = 10.0
"""Longer than Ray waits after SIGTERM before it kills (3 s)."""
_YOUNG_S = 3.0
"""A job stopped within its first moments can leave its process behind, which Ray then forgets."""


def command(*words: str) -> str:
    """The line that runs a command of this package."""
    return shlex.join([*_PROGRAM, *words])


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job as it stands."""

    id: str
    status: str
    """Ray's word: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED."""
    command: str
    message: str
    """What Ray says of it, with the end of its log if it failed."""
    started_s: float | None
    """When it began, in seconds since 1970."""
    ended_s: float | None = None
    """When it ended; None while it waits or runs."""

    @classmethod
    def of(cls, details: Any) -> "Job":
        """Ray's details, in our words."""
        return cls(
            id=details.submission_id or "",
            status=details.status.value,
            command=details.entrypoint,
            message=details.message or "",
            started_s=details.start_time / 1000 if details.start_time else None,
            ended_s=details.end_time / 1000 if details.end_time else None,
        )

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in ("PENDING", "RUNNING")

    @property
    def words(self) -> str:
        """What it does, without the part of its command that is the same for all."""
        return self.command.removeprefix(shlex.join(_PROGRAM) + " ")

    @property
    def seconds(self) -> float:
        """How long it took, or has been there."""
        began = self.started_s or time.time()
        return max(0.0, (self.ended_s or time.time()) - began)

    @property
    def lasted(self) -> str:
        """The same in words: `8 s`, `12:05` or `3:00:00`."""
        whole = round(self.seconds)
        if whole < 60:
            return f"{whole} s"
        minutes, seconds = divmod(whole, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "id": self.id,
            "status": self.status,
            "command": self.words,
            "started_s": self.started_s,
            "ended_s": self.ended_s,
            "seconds": round(self.seconds, 1),
            "reason": self.reason if self.status == "FAILED" else None,
        }

    @property
    def reason(self) -> str:
        """The line of its command that says what went wrong, or the last of all."""
        message = self.message or "its job failed"
        said = re.findall(r"^error: (.*)$", message, re.M)
        return said[-1] if said else message.strip().splitlines()[-1]


class UnknownJobError(ConfigError):
    """A cluster knows no job of this id."""


class TakenError(ConfigError):
    """A cluster has a job of this id."""


class SilentError(ConfigError):
    """A cluster's job server does not answer in time."""


class Jobs:
    """The job server of a cluster; connects when it is first asked.

    All but `find` raise ConfigError where there is no such cluster or job; `find` knows of no job.
    """

    def __init__(self, address: str, answer_s: float | None = None) -> None:
        """Without a call.

        Args:
            address: of a dashboard, or one that a process of the cluster knows it by.
            answer_s: seconds that any one call may wait for an answer; for ever if not given.
        """
        self.address, self._answer_s = address, answer_s
        self._connected: Any = None

    @classmethod
    def at(cls, address: str | None) -> "Jobs":
        """Behind a dashboard; see `dashboard`."""
        return cls(dashboard(address))

    @classmethod
    def here(cls, answer_s: float | None = None) -> "Jobs":
        """Of the cluster that this process belongs to.

        Jobs are told its address too: told nothing, they may join another on the machine.
        """
        import ray

        return cls(str(ray.get_runtime_context().gcs_address), answer_s)

    def submit(
        self,
        job_id: str,
        line: str,
        *,
        metadata: Mapping[str, str] | None = None,
        runtime_env: Mapping[str, Any] | None = None,
        cpus: float = 0.0,
    ) -> None:
        """Start a job; Ray takes no second one of the same id.

        Its process runs on the head, or with `cpus` on a machine that has so many to give.
        """
        with self._client() as client:
            client.submit_job(
                entrypoint=line,
                submission_id=job_id,
                metadata=dict(metadata) if metadata else None,
                runtime_env=dict(runtime_env) if runtime_env else None,
                entrypoint_num_cpus=cpus or None,
            )

    def find(self, job_id: str) -> Job | None:
        """The job of an id, if the cluster knows it."""
        try:
            return self.get(job_id)
        except UnknownJobError:
            return None

    def get(self, job_id: str) -> Job:
        """The job of an id."""
        with self._client(job_id) as client:
            return Job.of(client.get_job_info(job_id))

    def list(self) -> list[Job]:
        """Every job that was submitted, the oldest first."""
        with self._client() as client:
            found = [Job.of(details) for details in client.list_jobs() if details.submission_id]
        return sorted(found, key=lambda job: job.started_s or 0)

    def stop(self, job_id: str) -> bool:
        """Tell a job to stop; whether it was running."""
        with self._client(job_id) as client:
            return bool(client.stop_job(job_id))

    def end(self, job_id: str) -> bool:
        """Stop a job and wait for its end; whether it has ended."""
        until, old = time.monotonic() + _END_S, 0.0
        while (job := self.find(job_id)) is not None and job.is_active:
            now = time.monotonic()
            if now > until:
                return False
            age = 0.0 if job.status == "PENDING" else time.time() - (job.started_s or 0.0)
            old = max(old, now + _YOUNG_S - age)
            if now >= min(old, until - _END_S / 2):
                self.stop(job_id)
            time.sleep(0.2)
        return True

    def follow(self, job_id: str) -> int:
        """Print a job's log until it ends; its exit code."""
        with self._client(job_id) as client:
            client.get_job_info(job_id)
            log = _Log(client, job_id)
            while not asyncio.run(log.print()):
                time.sleep(_LOOK_S)
            while not (details := client.get_job_info(job_id)).status.is_terminal():
                time.sleep(_LOOK_S)
        return 0 if details.status == "SUCCEEDED" else int(details.driver_exit_code or 1)

    @contextmanager
    def _client(self, job_id: str = "") -> Iterator[Any]:
        """Ray's client; what goes wrong at the other end becomes one line."""
        outside = self.address.startswith("http")
        if outside:
            _set_environment(self.address)
        import requests
        from ray.exceptions import AuthenticationError

        try:
            if self._connected is None:
                if outside:
                    _knock(self.address)
                self._connected = _connected(self.address, self._answer_s)
            yield self._connected
        except AuthenticationError as error:
            raise ConfigError(
                f"--address {self.address}: the cluster does not accept the token "
                f"({first_line(error).partition(':')[0]}); set RAY_AUTH_TOKEN, or "
                "RAY_AUTH_TOKEN_PATH to the file that has the cluster's"
            ) from error
        except requests.Timeout as error:
            raise SilentError(
                f"--address {self.address}: the job server has not answered for {self._answer_s} s"
            ) from error
        except (requests.RequestException, ConnectionError) as error:
            self._connected = None  # it may come again elsewhere
            raise ConfigError(
                f"--address {self.address}: no Ray dashboard answers there ({first_line(error)})"
            ) from error
        except RuntimeError as error:
            if job_id and "status code 404" in str(error):
                raise UnknownJobError(
                    f"no job {job_id} on {self.address}; `gtcoder jobs` lists those there are"
                ) from error
            if "already exists" in str(error):
                raise TakenError(f"{self.address}: {first_line(error)}") from error
            raise ConfigError(f"{self.address}: {first_line(error)}") from error


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


def _connected(address: str, answer_s: float | None) -> Any:
    """Ray's client, whose every call ends in time."""
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):  # type: ignore[misc]
        def _do_request(self, *arguments: Any, **options: Any) -> Any:
            return super()._do_request(*arguments, timeout=answer_s, **options)

    return Client(address)


def _set_environment(url: str) -> None:
    """Let Ray, which reads it when it is imported, use a token that is there, and this address."""
    token = Path.home() / ".ray" / "auth_token"
    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() or token.exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ["RAY_API_SERVER_ADDRESS"] = url  # Ray lets its variables overrule the argument


def _knock(url: str) -> None:
    parts = urlsplit(url)
    knock(url, parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme])


class _Log:
    """A job's log on its way to the terminal; a connection that is lost costs no line."""

    def __init__(self, client: Any, job_id: str) -> None:
        self.client, self.job_id = client, job_id
        self.printed = 0
        """Characters so far."""

    async def print(self) -> bool:
        """Print it as it grows, from where the last call stopped; whether to its end."""
        position = 0
        try:
            async for text in self.client.tail_job_logs(self.job_id):
                fresh = text[max(0, self.printed - position) :]
                position += len(text)
                self.printed = max(self.printed, position)
                print(fresh, end="", flush=True)
        except (RuntimeError, OSError):
            # The cluster's answer to the next question tells whether it is only the connection.
            return bool(self.client.get_job_info(self.job_id).status.is_terminal())
        return True
