"""Bulk batches: `gtcoder generate` as a Ray job below one root, with its state beside its output.

A batch is a record (what was asked for) and a folder (what is written so far); all else follows
from these two and from the job, so a batch outlives the service, and a repeat goes on with it.
"""

import json
import re
import shlex
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from gtcoder.errors import GTCoderError
from gtcoder.table.files import absolute, is_local, join, list_files, read_bytes, write_bytes
from serve.batches.jobs import Job, Jobs
from serve.http.problems import ProblemError, full, invalid
from serve.http.schemas import Batch, BatchWanted, File, State
from serve.registry import Model
from serve.settings import Limits

_RECORDS = ".batches"
_MANIFEST = "_manifest.json"
_SHARD = re.compile(r"part-(\d+)-of-\d+\.parquet")
_ID = re.compile(r"[0-9a-f]{24}")
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ACTIVE = ("queued", "running")
_SUBMITTED_S = 60.0
"""So long a batch without a job counts as queued: its job is being submitted."""
_MOST_FILES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What is kept of a batch."""

    id: str
    model: str
    bundle: str
    checksum: str
    rows: int
    seed: int
    where: Any
    output: str
    """Relative to the root."""
    rows_per_file: int
    created: str
    attempt: int = 1
    written_before: int = 0
    """Rows that were there when this attempt began."""
    cancelled: bool = False
    seed_given: bool = True
    keyed: bool = True
    """Whether a key was given, by which a repeat finds it."""
    submitted_s: float = 0.0
    """When this attempt began, in seconds since 1970; 0 if its job could not be submitted."""

    @property
    def job(self) -> str:
        """The Ray job of this attempt."""
        return f"gtcoder-{self.id}-{self.attempt}"

    def conditions(self) -> list[str]:
        """`where` as the command line takes it."""
        where = self.where if self.where is not None else []
        return list(where) if isinstance(where, list) else [json.dumps(where)]

    def asked(self) -> tuple[Any, ...]:
        """What makes two requests the same."""
        seed = self.seed if self.seed_given else None
        return self.model, self.rows, seed, self.where, self.rows_per_file, self.output


class Batches:
    """The batches below a root.

    Several services may share a root: two starts with one key make the same record and the same
    job, of which Ray takes one. Within one, starts and cancellations come one after another.
    """

    def __init__(self, root: str, limits: Limits, jobs: Jobs) -> None:
        self._root, self._limits, self._jobs = absolute(root), limits, jobs
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
        earlier = self._load(record.id)
        if earlier is not None:
            if earlier.asked() != record.asked():
                detail = "the Idempotency-Key was used for another batch; use a new one"
                raise ProblemError(409, "Key is taken", detail, field="Idempotency-Key")
            if earlier.cancelled and not self._jobs.stop(earlier.job):
                raise full("its job is still being cancelled", 5)
            found = self.show(earlier.id)
            if found.state in (*_ACTIVE, "succeeded"):
                return found
            written = found.rows_written
            record = replace(earlier, attempt=earlier.attempt + 1, cancelled=False)
            record = replace(record, written_before=written)
        self._make_room(record)
        record = replace(record, submitted_s=time.time())
        self._save(record)
        try:
            self._jobs.submit(record.job, self._command(record), {"gtcoder_batch": record.id})
        except ProblemError:
            self._save(replace(record, submitted_s=0.0))
            raise
        if self._found(record.id).cancelled:  # meanwhile, by another service
            self._jobs.stop(record.job)
        return self.show(record.id)

    def show(self, batch_id: str) -> Batch:
        """A batch as it stands, with its files.

        Raises:
            ProblemError: there is none (404).
        """
        record = self._found(batch_id)
        return self._state(record, self._jobs.find(record.job))

    def list(self) -> list[Batch]:
        """All batches, the newest first."""
        records = [self._load(name.removesuffix(".json")) for name in list_files(self._records)]
        known = [record for record in records if record is not None]
        newest = sorted(known, key=lambda record: record.created, reverse=True)
        shown = [self._state(record, self._jobs.find(record.job)) for record in newest]
        return [batch.model_copy(update={"files": None}) for batch in shown]

    def cancel(self, batch_id: str) -> Batch:
        """Stop a batch and wait for its end; what is written stays, a repeat goes on with it.

        Raises:
            ProblemError: there is none (404).
        """
        with self._lock:
            record = self._found(batch_id)
            if self.show(batch_id).state in _ACTIVE:
                self._save(replace(record, cancelled=True))
                self._jobs.stop(record.job)
            return self.show(batch_id)

    def file(self, batch_id: str, name: str) -> str:
        """The URI of one of a batch's files.

        Raises:
            ProblemError: there is none (404).
        """
        record = self._found(batch_id)
        if not _SHARD.fullmatch(name) or name not in self._files(record):
            raise ProblemError(404, "Unknown file", f"batch {batch_id} has no file {name!r}")
        return join(self._folder(record), name)

    @property
    def _records(self) -> str:
        return join(self._root, _RECORDS)

    def _folder(self, record: Record) -> str:
        return join(self._root, record.output)

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
            output=self._below_root(output),
            rows_per_file=wanted.rows_per_file,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )

    def _below_root(self, output: str) -> str:
        """The same, if it cannot leave the root."""
        steps = output.split("/")
        if not all(_STEP.fullmatch(step) for step in steps):
            raise invalid(
                "output",
                "expected folders below the batch root, of letters, digits, dots, dashes and "
                "underscores, such as claims/2026-11",
            )
        if is_local(self._root):
            root = Path(self._root).resolve()
            if not (root / output).resolve().is_relative_to(root):
                raise invalid("output", "expected a folder below the batch root")
        return output

    def _make_room(self, record: Record) -> None:
        active = [b for b in self.list() if b.state in _ACTIVE and b.id != record.id]
        if len(active) >= self._limits.batches:
            raise full(f"{len(active)} batches wait or run", 30)
        if any(batch.output == self._folder(record) for batch in active):
            detail = f"another batch is writing to {record.output!r}; choose another output"
            raise ProblemError(409, "Output is taken", detail, field="output")

    def _command(self, record: Record) -> str:
        """The job's command line, of checked parts only."""
        return shlex.join(
            [
                *("python", "-m", "ray_jobs.cli", "generate", record.bundle),
                f"--rows={record.rows}",
                f"--seed={record.seed}",
                f"--rows-per-file={record.rows_per_file}",
                f"--checksum={record.checksum}",
                f"--out={self._folder(record)}",
                f"--address={self._jobs.address}",
                *(f"--where={text}" for text in record.conditions()),
                "--quiet",
            ]
        )

    def _state(self, record: Record, job: Job | None) -> Batch:
        sizes = self._files(record)
        shards = sorted(name for name in sizes if _SHARD.fullmatch(name))
        state, message = self._progress(record, job, _MANIFEST in sizes)
        written = sum(_rows_of(name, record) for name in shards)
        elapsed = time.time() - job.started_s if job and job.started_s else 0.0
        fresh = written - record.written_before
        speed = fresh / elapsed if state == "running" and elapsed > 0 and fresh > 0 else None
        folder = self._folder(record)
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
            output=folder,
            created=record.created,
            files=[
                File(
                    name=name,
                    bytes=sizes[name],
                    url=f"/v1/batches/{record.id}/files/{name}",
                    uri=join(folder, name),
                )
                for name in shards
            ],
        )

    def _progress(self, record: Record, job: Job | None, whole: bool) -> tuple[State, str | None]:
        if whole and self._is_ours(record):
            return "succeeded", None
        again = (
            "send the same request again, with its Idempotency-Key, to go on"
            if record.keyed
            else "begin another; with an Idempotency-Key it could go on"
        )
        if job is not None and job.is_active:
            return job.state, "it is being cancelled" if record.cancelled else None
        if record.cancelled:
            return "cancelled", f"it was cancelled; {again}"
        if job is None and time.time() - record.submitted_s < _SUBMITTED_S:
            return "queued", None
        if job is None:
            return "failed", f"its job is gone, or could not be started; {again}"
        return "failed", f"{job.message}; {again}"

    def _is_ours(self, record: Record) -> bool:
        """Whether the manifest in the folder is of this very batch."""
        try:
            manifest = json.loads(read_bytes(join(self._folder(record), _MANIFEST)))
            same = {"bundle": record.checksum, "rows": record.rows, "seed": record.seed}
            same |= {"rows_per_file": record.rows_per_file}
            same |= {"where": sorted(record.conditions())}
            return all(manifest[name] == value for name, value in same.items())
        except (OSError, ValueError, KeyError):
            return False

    def _files(self, record: Record) -> Mapping[str, int]:
        return list_files(self._folder(record))

    def _found(self, batch_id: str) -> Record:
        record = self._load(batch_id) if _ID.fullmatch(batch_id) else None
        if record is None:
            raise ProblemError(404, "Unknown batch", f"no batch {batch_id!r}")
        return record

    def _load(self, batch_id: str) -> Record | None:
        if not _ID.fullmatch(batch_id):
            return None
        try:
            return Record(**json.loads(read_bytes(join(self._records, f"{batch_id}.json"))))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise GTCoderError(f"the record of batch {batch_id} is damaged") from error

    def _save(self, record: Record) -> None:
        text = json.dumps(asdict(record), indent=1)
        write_bytes(join(self._records, f"{record.id}.json"), text.encode())


def _rows_of(name: str, record: Record) -> int:
    match = _SHARD.fullmatch(name)
    start = int(match[1]) * record.rows_per_file if match else record.rows
    return max(0, min(record.rows_per_file, record.rows - start))
