"""How far a batch is: its record, its job and the files that are there, as a client sees it."""

import time
from collections.abc import Callable, Mapping

from gtcoder.table.files import join, list_files
from ray_jobs.folder import MANIFEST
from ray_jobs.jobs import Job
from ray_jobs.output import Output, is_shard
from serve.batches.record import Record
from serve.http.schemas import Batch, File, State

ACTIVE = ("queued", "running")
"""States of a batch that takes room."""
_STATES: Mapping[str, State] = {"PENDING": "queued", "RUNNING": "running"}
_SUBMITTED_S = 60.0
"""So long a batch without a job counts as queued: its job is being submitted."""


def state_of(
    record: Record, output: Output, job: Callable[[], Job | None], *, files: bool
) -> Batch:
    """A batch as it stands.

    Args:
        record: of it; once it says how the batch ended, that is how it stands.
        output: its folder, which is looked at only where this takes it.
        job: asks for its job, if nothing else tells how it stands.
        files: whether they are wanted too.
    """
    ended = record.state
    sizes = list_files(output.folder) if files or ended is None else {}
    shards = sorted(name for name in sizes if is_shard(name))
    speed = None
    if ended is not None:
        state, message, written = ended, record.message, record.rows_written
    else:
        written = sum(output.rows_in(name) for name in shards)
        if MANIFEST in sizes and output.is_finished():
            state, message = "succeeded", None
        else:
            found = job()
            state, message = _unfinished(record, found)
            speed = _speed(written - record.written_before, found) if state == "running" else None
    return Batch(
        id=record.id,
        model=record.model,
        state=state,
        message=message,
        rows=record.rows,
        rows_written=written,
        rows_per_s=round(speed, 1) if speed else None,
        seconds_left=round((record.rows - written) / speed, 1) if speed else None,
        seed=record.seed,
        where=record.where,
        checksum=record.checksum,
        output=output.folder,
        created=record.created,
        files=[
            File(
                name=name,
                bytes=sizes[name],
                url=f"/v1/batches/{record.id}/files/{name}",
                uri=join(output.folder, name),
            )
            for name in shards
        ]
        if files
        else None,
    )


def _unfinished(record: Record, job: Job | None) -> tuple[State, str | None]:
    """The state of a batch whose files are not all there, and what to say of it."""
    again = (
        "send the same request again, with its Idempotency-Key, to go on"
        if record.keyed
        else "begin another; with an Idempotency-Key it could go on"
    )
    if job is not None and job.is_active:
        return _STATES[job.status], "it is being cancelled" if record.cancelled else None
    if record.cancelled:
        return "cancelled", f"it was cancelled; {again}"
    if job is None and time.time() - record.submitted_s < _SUBMITTED_S:
        return "queued", None
    if job is None:
        return "failed", f"its job is gone, or could not be started; {again}"
    if job.status == "SUCCEEDED":
        return "failed", f"its job ended, but its files are not there; {again}"
    return "failed", f"{job.reason}; {again}"


def _speed(rows: int, job: Job | None) -> float | None:
    """Rows a second that a job has written, once there are any."""
    elapsed = time.time() - job.started_s if job and job.started_s else 0.0
    return rows / elapsed if elapsed > 0 and rows > 0 else None
