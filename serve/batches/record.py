"""What is kept of a batch, and where: one small file each below the root."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gtcoder.errors import GTCoderError
from gtcoder.table.files import absolute, is_local, join, list_files, read_bytes, write_bytes
from ray_jobs.output import Output
from serve.http.problems import ProblemError, invalid

_FOLDER = ".batches"
_ID = re.compile(r"[0-9a-f]{24}")
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What was asked for, and how often it was tried."""

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


class Records:
    """The records below a root, and the folders that batches write to beside them."""

    def __init__(self, root: str) -> None:
        self._root = absolute(root)
        self._folder = join(self._root, _FOLDER)

    def load(self, batch_id: str) -> Record | None:
        """The record of a batch, if there is one.

        Raises:
            GTCoderError: it is damaged.
        """
        if not _ID.fullmatch(batch_id):
            return None
        try:
            return Record(**json.loads(read_bytes(self._path(batch_id))))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise GTCoderError(f"the record of batch {batch_id} is damaged") from error

    def find(self, batch_id: str) -> Record:
        """The record of a batch.

        Raises:
            ProblemError: there is none (404).
        """
        record = self.load(batch_id)
        if record is None:
            raise ProblemError(404, "Unknown batch", f"no batch {batch_id!r}")
        return record

    def save(self, record: Record) -> None:
        """Write a record in place of the one before."""
        write_bytes(self._path(record.id), json.dumps(asdict(record), indent=1).encode())

    def __iter__(self) -> Iterator[Record]:
        """All of them, the newest first."""
        names = list_files(self._folder)
        records = [self.load(name.removesuffix(".json")) for name in names]
        known = [record for record in records if record is not None]
        return iter(sorted(known, key=lambda record: record.created, reverse=True))

    def output(self, record: Record) -> Output:
        """What its job writes."""
        return Output(
            folder=join(self._root, record.output),
            bundle=record.checksum,
            rows=record.rows,
            rows_per_file=record.rows_per_file,
            seed=record.seed,
            where=record.conditions(),
        )

    def below_root(self, output: str) -> str:
        """The same, if it cannot leave the root.

        Raises:
            ProblemError: it could (422).
        """
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

    def _path(self, batch_id: str) -> str:
        return join(self._folder, f"{batch_id}.json")
