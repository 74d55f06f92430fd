"""Whose a folder is while something is written to it: one process's, by a file that says so.

The owner changes its file every few seconds. One that stays as it is for a minute, or whose process
has died on this machine, is nobody's any more and taken over. No clock of another machine is read.
"""

import getpass
import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from gtcoder.errors import OutputError
from gtcoder.progress import Reporter
from gtcoder.table.files import is_local, join, read_bytes, swap

OWNER = "_owner.json"
"""In the folder that is owned."""
BEAT_S = 10.0
STALE_S = 60.0
"""So long an owner may be silent: six beats."""
_SETTLE_S = 2.0
"""An object store that knows no conditions takes all who write at the same moment."""
_LOOK_S = 0.5


def is_owners(name: str) -> bool:
    """Whether a file in a folder is its owner's, or was to become it."""
    return name.removeprefix(".").startswith(OWNER)


def _machine() -> str:
    """This start of this machine, and which of its processes are seen; empty where it is unsaid."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(process: int) -> str:
    """When a process of this machine began, as the system counts; empty if it does not live."""
    try:
        state, *told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else told[18]


def _job() -> str:
    """The Ray job that this process is of; empty if it is of none."""
    told = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR") or "{}")
    return str(told.get("metadata", {}).get("job_submission_id", ""))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Who it is, as the file says it."""

    work: str
    user: str = field(default_factory=_user)
    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)
    job: str = field(default_factory=_job)
    """The ID of its Ray job, if it is one."""
    since: float = field(default_factory=time.time)
    """In seconds since 1970, as all times here."""
    seen: float = field(default_factory=time.time)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    machine: str = field(default_factory=_machine)
    started: str = field(default_factory=lambda: _started(os.getpid()))

    @classmethod
    def read(cls, content: bytes) -> "Owner | None":
        """The owner that a file tells of; nothing if it is damaged."""
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError):
            return None

    @property
    def content(self) -> bytes:
        """What the file says."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @property
    def lives(self) -> bool | None:
        """Whether its process does; None if it is not one of this machine."""
        if not self.machine or self.machine != _machine():
            return None
        return self.started == _started(self.process)

    def __str__(self) -> str:
        job = f", job {self.job}" if self.job else ""
        return (
            f"{self.work} by {self.user} on {self.host} (process {self.process}{job}), since "
            f"{_clock(self.since)}, last seen {_clock(self.seen)}"
        )

    @property
    def cure(self) -> str:
        """How it is ended."""
        return f"gtcoder stop {self.job}" if self.job else f"kill {self.process} on {self.host}"


@contextmanager
def owned(
    place: str, work: str, reporter: Reporter, *, file: str | None = None
) -> Iterator["Hold"]:
    """Own a place while something is written to it.

    Args:
        place: a folder or its URI; it is made if need be, and goes again if nothing is in it.
        work: what is done there, in a word.
        reporter: is told of a wait.
        file: the owner's file, where the place is no folder.

    Raises:
        OutputError: another owns it, or has taken it over meanwhile.
    """
    hold = Hold(place, file, Owner(work=work))
    try:
        hold.take(reporter)
    except OSError as error:
        raise error if isinstance(error, OutputError) else OutputError(str(error)) from error
    try:
        yield hold
    finally:
        hold.release()
        if hold.lost:
            raise OutputError(f"{place} was taken over by another while this process was silent")


class Hold:
    """The file of one owner, from its beginning to its end."""

    lost = False
    """Whether another has taken the place over."""

    def __init__(self, place: str, file: str | None, owner: Owner) -> None:
        self.place, self.uri = place, file or join(place, OWNER)
        self._is_folder = file is None
        self._owner, self._said = owner, owner.content
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._of_main = threading.current_thread() is threading.main_thread()

    def take(self, reporter: Reporter) -> None:
        """Become the owner; that of a process which may have died is watched until it shows."""
        watched, since = None, 0.0
        while True:
            found = self._found()
            owner = Owner.read(found or b"")
            lives = owner.lives if owner is not None else None
            silent = found == watched and time.monotonic() - since >= STALE_S
            if found is None or lives is False or silent:
                if swap(self.uri, found, self._said):
                    break
            elif lives or watched not in (None, found):
                raise self._taken(owner)
            elif watched is None:
                reporter.note(
                    f"{self.place} is owned by a {owner or 'process'}; seeing whether it lives, "
                    f"for {STALE_S:.0f} s at most"
                )
                watched, since = found, time.monotonic()
            time.sleep(_LOOK_S)
        if not is_local(self.uri):
            time.sleep(_SETTLE_S)
            found = self._found()
            if found != self._said:
                raise self._taken(Owner.read(found or b""))
        self._keeper.start()

    def release(self) -> None:
        """Be it no more."""
        self._ended.set()
        self._keeper.join()
        with suppress(OSError):  # what stays is known to be of no living process
            swap(self.uri, self._said, None, folder=self._is_folder)

    def _keep(self) -> None:
        while not self._ended.wait(BEAT_S):
            with suppress(OSError):  # the storage may answer the next time
                self.lost = not self._beat()
            if self.lost:
                if self._of_main:
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return

    def _beat(self) -> bool:
        beat = replace(self._owner, seen=time.time()).content
        if swap(self.uri, self._said, beat):
            self._said = beat
            return True
        found = self._found()  # an earlier beat may have arrived without an answer
        owner = Owner.read(found or b"")
        if found is None or owner is None or owner.token != self._owner.token:
            return False
        self._said = found
        return True

    def _found(self) -> bytes | None:
        try:
            return read_bytes(self.uri)
        except FileNotFoundError:
            return None

    def _taken(self, owner: Owner | None) -> OutputError:
        who = f"a {owner}" if owner else "another process"
        cure = f", or end it ({owner.cure})" if owner else ""
        return OutputError(f"{self.place} is in use: {who}; wait for its end{cure}")


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment):%Y-%m-%d %H:%M:%S}"
