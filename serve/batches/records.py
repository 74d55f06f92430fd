"""Where records lie: one small file each below the root, active ones apart from those that ended.

Names say what finding one takes, so that none is read in vain; each owner has a folder. Several
services may write here at once, and each may end at any moment: of the files of one batch an active
one counts before those of attempts that ended, and among these the latest attempt.
"""

import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gtcoder.errors import GTCoderError
from gtcoder.table.files import (
    absolute,
    is_local,
    join,
    list_files,
    read_bytes,
    remove,
    write_bytes,
)
from ray_jobs.output import Output
from serve.batches.record import Record
from serve.http.problems import ProblemError, invalid

_FOLDER = ".batches"
_ACTIVE = re.compile(r"(?P<id>[0-9a-f]{24})-(?P<attempt>\d+)\.json")
_ENDED = re.compile(r"(?P<cursor>\d{17}-(?P<id>[0-9a-f]{24}))-(?P<attempt>\d+)\.json")
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Records:
    """The records below a root, and the folders that batches write to beside them."""

    def __init__(self, root: str, days: float) -> None:
        """Read nothing yet.

        Args:
            root: folder or URI.
            days: so long after its start a batch that ended is known.
        """
        self._root, self._days = absolute(root), days
        self._active = join(self._root, f"{_FOLDER}/active")
        self._ended = join(self._root, f"{_FOLDER}/ended")

    def load(self, owner: str, batch_id: str) -> Record | None:
        """The record of an owner's batch, if there is one.

        Raises:
            GTCoderError: it is damaged.
        """
        for _ in range(2):  # it may be moved while it is looked for
            found = _latest(join(self._active, owner), _ACTIVE).get(batch_id)
            found = found or self._ended_of(owner).get(batch_id)
            if found and (record := _read(found.path)):
                return record
        return None

    def find(self, owner: str, batch_id: str) -> Record:
        """The record of an owner's batch.

        Raises:
            ProblemError: there is none (404).
        """
        record = self.load(owner, batch_id)
        if record is None:
            raise ProblemError(404, "Unknown batch", f"no batch {batch_id!r}")
        return record

    def active(self, owner: str = "") -> list[Record]:
        """Those not known to have ended, of an owner or all."""
        folder = join(self._active, owner) if owner else self._active
        return _read_all(each.path for each in _latest(folder, _ACTIVE).values())

    def page(self, owner: str, limit: int, after: str | None) -> tuple[list[Record], str | None]:
        """So many of an owner's at most, the newest first, and where the next page begins."""
        active = {record.id: record for record in self.active(owner)}
        ended = self._ended_of(owner)
        places = {record.cursor: record.id for record in active.values()}
        places |= {each.cursor: name for name, each in ended.items() if name not in active}
        left = [each for each in sorted(places, reverse=True) if after is None or each < after]
        ids = [places[each] for each in left[:limit]]
        read = _read_all(ended[each].path for each in ids if each not in active)
        known = active | {record.id: record for record in read}
        following = left[limit - 1] if len(left) > limit else None
        return [known[each] for each in ids if each in known], following

    def save(self, record: Record) -> None:
        """Write an active record in place of the one before."""
        write_bytes(self._active_path(record), _written(record))

    def settle(self, record: Record) -> None:
        """Put a record of an attempt that has ended among those."""
        write_bytes(self._ended_path(record), _written(record))
        remove(self._active_path(record))

    def reopen(self, record: Record, earlier: Record) -> None:
        """Write the record of another attempt in place of one that ended."""
        self.save(record)
        remove(self._ended_path(earlier))

    def forget_old(self) -> None:
        """Remove the records of batches that ended and are too old, whoever's they are."""
        for path, place in _found(self._ended, _ENDED):
            if place["cursor"] < self._oldest:
                remove(path)

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

    @property
    def _oldest(self) -> str:
        """No record that ended counts whose place in the list is before."""
        return f"{datetime.now(UTC) - timedelta(days=self._days):%Y%m%d%H%M%S}000"

    def _ended_of(self, owner: str) -> dict[str, "_Name"]:
        found = _latest(join(self._ended, owner), _ENDED)
        return {name: each for name, each in found.items() if each.cursor >= self._oldest}

    def _active_path(self, record: Record) -> str:
        return join(self._active, f"{record.owner}/{record.id}-{record.attempt}.json")

    def _ended_path(self, record: Record) -> str:
        return join(self._ended, f"{record.owner}/{record.cursor}-{record.attempt}.json")


@dataclass(frozen=True, slots=True)
class _Name:
    """What the name of a record's file says."""

    path: str
    attempt: int
    cursor: str
    """Empty for an active one, which says it inside."""


def _found(folder: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """The records below a folder: where, and what their names say."""
    for name in list_files(folder):
        if match := pattern.fullmatch(name.rpartition("/")[2]):
            yield join(folder, name), match


def _latest(folder: str, pattern: re.Pattern[str]) -> dict[str, _Name]:
    """The file of each batch's latest attempt, by the batch's id."""
    latest: dict[str, _Name] = {}
    for path, said in _found(folder, pattern):
        name = _Name(path, int(said["attempt"]), said.groupdict().get("cursor") or "")
        if said["id"] not in latest or latest[said["id"]].attempt < name.attempt:
            latest[said["id"]] = name
    return latest


def _read(path: str) -> Record | None:
    try:
        return Record(**json.loads(read_bytes(path)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise GTCoderError(f"the record of a batch is damaged; remove {path}") from error


def _read_all(paths: Iterable[str]) -> list[Record]:
    with ThreadPoolExecutor(16) as pool:
        return [record for record in pool.map(_read, paths) if record is not None]


def _written(record: Record) -> bytes:
    return json.dumps(asdict(record), indent=1).encode()
