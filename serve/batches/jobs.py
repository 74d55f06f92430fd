"""Ray Jobs on the cluster the service runs on."""

import re
import time
from dataclasses import dataclass
from typing import Literal

import ray
from ray.job_submission import JobStatus, JobSubmissionClient

from serve.http.problems import full

_SUBMIT_S = 30.0
_STOP_S = 20.0
"""Longer than Ray waits after SIGTERM before it kills (3 s)."""
_YOUNG_S = 3.0
"""A job stopped within its first moments can leave its process behind, which Ray then forgets."""
_DEAF = "the cluster's job server does not answer"
_BUSY = (
    "the cluster takes no jobs at the moment (another Ray on the same machine may hold the port of "
    "Ray's job agent, 52365)"
)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands."""

    state: Literal["queued", "running", "ended", "failed"]
    message: str
    """What it said last, if it failed."""
    started_s: float | None
    """When it began, in seconds since 1970."""

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("queued", "running")


class Jobs:
    """Submits, finds and stops jobs; connects when it is first needed."""

    def __init__(self) -> None:
        self._connected: JobSubmissionClient | None = None

    def submit(self, job_id: str, command: str, metadata: dict[str, str]) -> None:
        """Start a job, unless one of this id was started already.

        Raises:
            ProblemError: the cluster takes no jobs, as when it has just begun (503).
        """
        until = time.monotonic() + _SUBMIT_S
        while self.find(job_id) is None:
            try:
                self._client.submit_job(entrypoint=command, submission_id=job_id, metadata=metadata)
            except RuntimeError as error:
                if time.monotonic() > until:
                    raise full(_BUSY, 10) from error
                time.sleep(1)

    def find(self, job_id: str) -> Job | None:
        """The job of an id, if the cluster knows it.

        Raises:
            ProblemError: the cluster does not answer (503).
        """
        try:
            details = self._client.get_job_info(job_id)
        except (RuntimeError, ConnectionError) as error:
            if "status code 404" in str(error):
                return None
            raise full(_DEAF, 5) from error
        started = details.start_time / 1000 if details.start_time else None
        match details.status:
            case JobStatus.PENDING:
                return Job("queued", "", started)
            case JobStatus.RUNNING:
                return Job("running", "", started)
            case JobStatus.SUCCEEDED:
                return Job("ended", "its job ended, but its files are not there", started)
        return Job("failed", _reason(details.message or "its job failed"), started)

    def stop(self, job_id: str) -> bool:
        """Stop a job and wait for its end; whether it has ended.

        Raises:
            ProblemError: the cluster does not answer (503).
        """
        until, old = time.monotonic() + _STOP_S, 0.0
        while (job := self.find(job_id)) is not None and job.is_active:
            now = time.monotonic()
            if now > until:
                return False
            age = 0.0 if job.state == "queued" else time.time() - (job.started_s or 0.0)
            old = max(old, now + _YOUNG_S - age)
            if now >= min(old, until - _STOP_S / 2):
                try:
                    self._client.stop_job(job_id)
                except (RuntimeError, ConnectionError) as error:
                    raise full(_DEAF, 5) from error
            time.sleep(0.2)
        return True

    @property
    def address(self) -> str:
        """Of the cluster, for jobs to join: told nothing, they may join another on the machine."""
        return str(ray.get_runtime_context().gcs_address)

    @property
    def _client(self) -> JobSubmissionClient:
        if self._connected is None:
            self._connected = JobSubmissionClient(self.address)
        return self._connected


def _reason(message: str) -> str:
    """The line of the command that says what went wrong, or the last of all."""
    said = re.findall(r"^error: (.*)$", message, re.M)
    return said[-1] if said else message.strip().splitlines()[-1]
