"""Bulk batches: `gtcoder generate` as a Ray job below one root, with its state beside its output.

A batch is a record (what was asked for) and a folder (what is written so far); all else follows
from these two and from the job, so a batch outlives the service, and a repeat goes on with it. How
it ended is written down once, and then nothing else is asked.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from gtcoder.errors import ConfigError
from gtcoder.table.files import absolute, join, list_files
from ray_jobs.jobs import Job, Jobs, SilentError, command
from ray_jobs.output import is_shard
from serve.batches.record import Record
from serve.batches.records import Records
from serve.batches.state import ACTIVE, state_of
from serve.http.problems import ProblemError, full, invalid
from serve.http.schemas import Batch, BatchList, BatchWanted
from serve.registry import Model
from serve.settings import Limits

_SUBMIT_S = 30.0
_SILENT_S = 5.0
"""So long a job server that has not answered is not asked again."""
_FORGET_S = 3600.0
"""Between looks for records that are too old."""
_MOST_FILES = 10_000


class Batches:
    """The batches below a root.

    Several services of one cluster may share a root: two starts with one key make the same record
    and the same job, of which Ray takes one. Within one, what changes a batch comes one after
    another, and no batch waits for another's.
    """

    def __init__(self, root: str, limits: Limits, jobs: Jobs) -> None:
        self._records, self._limits = Records(root, limits.batch_days), limits
        self._jobs = jobs
        self._silent_until = self._forgot_at = -_FORGET_S
        self._locks: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._guard, self._room = threading.Lock(), threading.Lock()

    def start(
        self, owner: str, model: Model, wanted: BatchWanted, key: str | None, seed: int
    ) -> Batch:
        """Begin a batch, go on with one that stopped, or find the one a key has begun.

        Raises:
            ProblemError: too many run, this one is still being cancelled or the cluster takes no
                jobs (503), the key or the output belongs to another (409), or the output is not
                below the root (422).
        """
        if -(-wanted.rows // wanted.rows_per_file) > _MOST_FILES:
            least = -(-wanted.rows // _MOST_FILES)
            raise invalid(
                "rows_per_file", f"at most {_MOST_FILES:,} files: expected at least {least:,}"
            )
        record = self._record(owner, model, wanted, key, seed)
        with self._lock(record.id):
            started = self._started(record)
        self._forget_now_and_then()
        return started

    def show(self, owner: str, batch_id: str) -> Batch:
        """A batch as it stands, with its files.

        Raises:
            ProblemError: there is none (404), or the job server does not say (503).
        """
        return self._seen(self._records.find(owner, batch_id))

    def list(self, owner: str, limit: int, after: str | None) -> BatchList:
        """So many of an owner's batches at most, the newest first.

        Raises:
            ProblemError: some may run and the job server does not say (503).
        """
        records, following = self._records.page(owner, limit, after)
        shown = [self._seen(record, files=False) for record in records]
        return BatchList(batches=shown, next=following)

    def cancel(self, owner: str, batch_id: str) -> Batch:
        """Stop a batch and see it end, if it soon does; a repeat goes on from what is written.

        Raises:
            ProblemError: there is none (404), or the job server does not answer (503).
        """
        with self._lock(batch_id):
            record = self._records.find(owner, batch_id)
            if self._seen(record).state in ACTIVE:
                record = replace(record, cancelled=True)
                self._records.save(record)
        if record.cancelled:
            self._end(record)
        return self.show(owner, batch_id)

    def file(self, owner: str, batch_id: str, name: str) -> str:
        """The URI of one of a batch's files.

        Raises:
            ProblemError: there is none (404).
        """
        folder = self._records.output(self._records.find(owner, batch_id)).folder
        if not is_shard(name) or name not in list_files(folder):
            raise ProblemError(404, "Unknown file", f"batch {batch_id} has no file {name!r}")
        return join(folder, name)

    def _started(self, record: Record) -> Batch:
        earlier = self._records.load(record.owner, record.id)
        if earlier is not None:
            if earlier.asked() != record.asked():
                detail = "the Idempotency-Key was used for another batch; use a new one"
                raise ProblemError(409, "Key is taken", detail, field="Idempotency-Key")
            if earlier.state is None and earlier.cancelled and not self._end(earlier):
                raise full("its job is still being cancelled", 5)
            found = self._seen(earlier)
            if found.state in (*ACTIVE, "succeeded"):
                return found
            record = replace(
                earlier,
                attempt=earlier.attempt + 1,
                written_before=found.rows_written,
                cancelled=False,
                state=None,
                message=None,
            )
        record = replace(record, submitted_s=time.time())
        self._take_room(record, earlier)
        try:
            self._submit(record)
        except ProblemError:
            self._records.save(replace(record, submitted_s=0.0))
            raise
        if self._records.find(record.owner, record.id).cancelled:  # meanwhile, by another service
            self._end(record)
        return self.show(record.owner, record.id)

    def _take_room(self, record: Record, earlier: Record | None) -> None:
        """Write the record, if there is room for it."""
        for each in self._records.active():
            if each.id != record.id:
                self._seen(each, files=False)
        with self._room:
            active = [each for each in self._records.active() if each.id != record.id]
            if len(active) >= self._limits.batches:
                raise full(f"{len(active)} batches wait or run", 30)
            if any(each.output == record.output for each in active):
                detail = f"another batch is writing to {record.output!r}; choose another output"
                raise ProblemError(409, "Output is taken", detail, field="output")
            if earlier is None:
                self._records.save(record)
            else:
                self._records.reopen(record, earlier)

    def _seen(self, record: Record, *, files: bool = True) -> Batch:
        """A batch as it stands; if it has ended, that is written down."""
        output = self._records.output(record)
        batch = state_of(record, output, lambda: self._job(record), files=files)
        if record.state is not None or batch.state in ACTIVE:
            return batch
        lock = self._lock(record.id)
        if lock.acquire(blocking=False):  # who has it will see for himself
            try:
                now = self._records.find(record.owner, record.id)
                if now != record:  # meanwhile it was cancelled, or begun again
                    return self._seen(now, files=files)
                ended = replace(record, state=batch.state, message=batch.message)
                self._records.settle(replace(ended, rows_written=batch.rows_written))
            finally:
                lock.release()
        return batch

    def _lock(self, batch_id: str) -> Any:
        """The lock of a batch, which is there as long as someone has it."""
        with self._guard:
            return self._locks.setdefault(batch_id, threading.RLock())

    def _forget_now_and_then(self) -> None:
        """Remove old records, beside everything else."""
        if time.monotonic() > self._forgot_at + _FORGET_S:
            self._forgot_at = time.monotonic()
            threading.Thread(target=self._records.forget_old, daemon=True).start()

    def _record(
        self, owner: str, model: Model, wanted: BatchWanted, key: str | None, seed: int
    ) -> Record:
        identity = sha256(f"key {owner} {key}".encode()).hexdigest() if key else uuid.uuid4().hex
        batch_id = identity[:24]
        output = wanted.output if wanted.output is not None else batch_id
        return Record(
            id=batch_id,
            owner=owner,
            model=model.name,
            bundle=absolute(model.uri),
            checksum=model.bundle.checksum,
            rows=wanted.rows,
            seed=seed,
            seed_given=wanted.seed is not None,
            keyed=key is not None,
            where=wanted.where,
            output=self._records.below_root(output),
            rows_per_file=wanted.rows_per_file,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )

    def _job(self, record: Record) -> Job | None:
        with self._answering():
            return self._jobs.find(record.job)

    def _end(self, record: Record) -> bool:
        with self._answering():
            return self._jobs.end(record.job)

    def _submit(self, record: Record) -> None:
        """Start the job, unless another service has; a cluster that has just begun takes none."""
        until = time.monotonic() + _SUBMIT_S
        line = _line(record, self._records.output(record).folder, self._jobs.address)
        while self._job(record) is None:
            try:
                self._jobs.submit(record.job, line, metadata={"gtcoder_batch": record.id})
            except ConfigError as error:
                if time.monotonic() > until:
                    said = "the cluster takes no jobs (see dashboard_agent.log on its head)"
                    raise full(said, 10) from error
                time.sleep(1)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """A job server that does not answer is a problem (503), and is left alone for a while."""
        if time.monotonic() < self._silent_until:
            raise _silent()
        try:
            yield
        except SilentError as error:
            self._silent_until = time.monotonic() + _SILENT_S
            raise _silent() from error
        except ConfigError as error:
            raise full("the cluster's job server cannot be reached", 5) from error


def _line(record: Record, folder: str, address: str) -> str:
    """The job's command line, of checked parts only."""
    return command(
        "generate",
        record.bundle,
        f"--rows={record.rows}",
        f"--seed={record.seed}",
        f"--rows-per-file={record.rows_per_file}",
        f"--checksum={record.checksum}",
        f"--out={folder}",
        f"--address={address}",
        *(f"--where={text}" for text in record.conditions()),
        "--quiet",
    )


def _silent() -> ProblemError:
    detail = (
        "the cluster's job server does not answer; see that Ray's dashboard is well "
        "(dashboard.log on the cluster's head), then ask again"
    )
    return ProblemError(503, "Job server does not answer", detail, retry_after_s=10)
