"""Bulk batches: `gtcoder generate` as a Ray job below one root, with its state beside its output.

A batch is a record (what was asked for) and a folder (what is written so far); all else follows
from these two and from the job, so a batch outlives the service, and a repeat goes on with it.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from gtcoder.errors import ConfigError
from gtcoder.table.files import absolute, join, list_files
from ray_jobs.jobs import Job, Jobs, command
from ray_jobs.output import is_shard
from serve.batches.record import Record, Records
from serve.batches.state import ACTIVE, state_of
from serve.http.problems import ProblemError, full, invalid
from serve.http.schemas import Batch, BatchWanted
from serve.registry import Model
from serve.settings import Limits

_SUBMIT_S = 30.0
_BUSY = (
    "the cluster takes no jobs at the moment (another Ray on the same machine may hold the port of "
    "Ray's job agent, 52365)"
)
_MOST_FILES = 10_000


class Batches:
    """The batches below a root.

    Several services may share a root: two starts with one key make the same record and the same
    job, of which Ray takes one. Within one, starts and cancellations come one after another.
    """

    def __init__(self, root: str, limits: Limits, jobs: Jobs) -> None:
        self._records, self._limits, self._jobs = Records(root), limits, jobs
        self._lock = threading.Lock()

    def start(self, model: Model, wanted: BatchWanted, key: str | None, seed: int) -> Batch:
        """Begin a batch, go on with one that stopped, or find the one a key has begun.

        Raises:
            ProblemError: too many run or this one is still being cancelled (503), the key or the
                output belongs to another (409), or the output is not below the root (422).
        """
        if -(-wanted.rows // wanted.rows_per_file) > _MOST_FILES:
            least = -(-wanted.rows // _MOST_FILES)
            raise invalid(
                "rows_per_file", f"at most {_MOST_FILES:,} files: expected at least {least:,}"
            )
        record = self._record(model, wanted, key, seed)
        with self._lock:
            return self._started(record)

    def _started(self, record: Record) -> Batch:
        earlier = self._records.load(record.id)
        if earlier is not None:
            if earlier.asked() != record.asked():
                detail = "the Idempotency-Key was used for another batch; use a new one"
                raise ProblemError(409, "Key is taken", detail, field="Idempotency-Key")
            if earlier.cancelled and not self._end(earlier):
                raise full("its job is still being cancelled", 5)
            found = self.show(earlier.id)
            if found.state in (*ACTIVE, "succeeded"):
                return found
            written = found.rows_written
            record = replace(earlier, attempt=earlier.attempt + 1, cancelled=False)
            record = replace(record, written_before=written)
        self._make_room(record)
        record = replace(record, submitted_s=time.time())
        self._records.save(record)
        try:
            self._submit(record)
        except ProblemError:
            self._records.save(replace(record, submitted_s=0.0))
            raise
        if self._records.find(record.id).cancelled:  # meanwhile, by another service
            self._end(record)
        return self.show(record.id)

    def show(self, batch_id: str) -> Batch:
        """A batch as it stands, with its files.

        Raises:
            ProblemError: there is none (404).
        """
        return self._state(self._records.find(batch_id))

    def list(self) -> list[Batch]:
        """All batches, the newest first."""
        shown = [self._state(record) for record in self._records]
        return [batch.model_copy(update={"files": None}) for batch in shown]

    def cancel(self, batch_id: str) -> Batch:
        """Stop a batch and wait for its end; what is written stays, a repeat goes on with it.

        Raises:
            ProblemError: there is none (404).
        """
        with self._lock:
            record = self._records.find(batch_id)
            if self.show(batch_id).state in ACTIVE:
                self._records.save(replace(record, cancelled=True))
                self._end(record)
            return self.show(batch_id)

    def file(self, batch_id: str, name: str) -> str:
        """The URI of one of a batch's files.

        Raises:
            ProblemError: there is none (404).
        """
        folder = self._records.output(self._records.find(batch_id)).folder
        if not is_shard(name) or name not in list_files(folder):
            raise ProblemError(404, "Unknown file", f"batch {batch_id} has no file {name!r}")
        return join(folder, name)

    def _record(self, model: Model, wanted: BatchWanted, key: str | None, seed: int) -> Record:
        identity = sha256(f"key {key}".encode()).hexdigest() if key else uuid.uuid4().hex
        batch_id = identity[:24]
        output = wanted.output if wanted.output is not None else batch_id
        return Record(
            id=batch_id,
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

    def _make_room(self, record: Record) -> None:
        active = [b for b in self.list() if b.state in ACTIVE and b.id != record.id]
        if len(active) >= self._limits.batches:
            raise full(f"{len(active)} batches wait or run", 30)
        folder = self._records.output(record).folder
        if any(batch.output == folder for batch in active):
            detail = f"another batch is writing to {record.output!r}; choose another output"
            raise ProblemError(409, "Output is taken", detail, field="output")

    def _state(self, record: Record) -> Batch:
        return state_of(record, self._job(record), self._records.output(record))

    def _job(self, record: Record) -> Job | None:
        with _answering():
            return self._jobs.find(record.job)

    def _end(self, record: Record) -> bool:
        with _answering():
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
                    raise full(_BUSY, 10) from error
                time.sleep(1)


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


@contextmanager
def _answering() -> Iterator[None]:
    """A job server that does not answer is a problem (503)."""
    try:
        yield
    except ConfigError as error:
        raise full("the cluster's job server does not answer", 5) from error
