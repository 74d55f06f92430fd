"""How far a job is: a live bar on a terminal, plain lines elsewhere, nothing when quiet.

Progress and warnings go to standard error; what the user asked to know goes to standard output.
"""

import math
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console
from rich.markup import escape

from gtcoder.schema.schema import Schema

LINE_SECONDS = 10.0
"""Plain lines come so often at most."""
TOLD_SHARE = 0.02
"""A smaller share of the work says nothing of how long the rest takes."""


class Stage:
    """One part of a job while it runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = time.monotonic()
        self.peak_bytes = 0
        """The most memory one of its processes is known to have had."""
        self.busy_s = 0.0
        """In which workers worked on rows, added up over all of them."""
        self._first, self._last = math.inf, -math.inf

    @property
    def span_s(self) -> float:
        """Seconds from the start of the first piece of work to the end of the last."""
        return max(self._last - self._first, 0.0)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.started

    def rows(self, done: int, total: int | None) -> None:
        """Report rows done out of all, if it is known how many there are."""
        speed = f"{done / max(self.elapsed_s, 1e-3):,.0f} rows/s"
        if total is None:
            self.update(0.0, f"{done:,} rows, {speed}")
        else:
            self.update(done / max(total, 1), f"{done:,} of {total:,} rows, {speed}")

    def update(
        self, share: float, text: str, left_s: float | None = None, *, at_most: bool = False
    ) -> None:
        """Report the share done, in [0, 1], a few words, and the seconds left where known.

        They may be the most that can be left, where it can end before.
        """

    def _left(self, share: float, known_s: float | None) -> float | None:
        """Seconds left: as known, else by how long what is done took, once it says something."""
        if known_s is not None:
            return known_s
        return self.elapsed_s * (1 - share) / share if share >= TOLD_SHARE else None

    def saw_memory(self, peak_bytes: int) -> None:
        """Report the most memory that a process has had."""
        self.peak_bytes = max(self.peak_bytes, peak_bytes)

    def saw_work(self, began: float, ended: float, busy_s: float) -> None:
        """Report that workers worked so long in all between two moments of the Unix epoch."""
        self.busy_s += busy_s
        self._first, self._last = min(self._first, began), max(self._last, ended)


class Reporter:
    """Tells the user what happens."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.seconds: dict[str, float] = {}
        """Of each stage that ended."""
        self.span_s: dict[str, float] = {}
        """Of them, from the first row's work to the last's."""
        self.busy_s: dict[str, float] = {}
        """Of each stage's workers, added up over all of them."""
        self.peak_bytes = 0
        """The most memory one process is known to have had."""
        self._console = Console(stderr=True)

    def note(self, text: str) -> None:
        """Something worth knowing."""
        if not self.quiet:
            print(text, flush=True)

    def warn(self, text: str) -> None:
        """Something the user may want to change."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def columns(self, schema: Schema) -> None:
        """What each column was taken for, and what is not learned and why."""
        width = max(map(len, schema.names), default=0)
        for column in schema.columns:
            null = "" if column.nullable else ", not null"
            self.note(f"  {column.name:<{width}}  {column.kind:<16}  {column.type}{null}")
        for warning in schema.warnings:
            self.warn(warning)

    def rules(self, lines: Iterable[str], lost: Iterable[str]) -> None:
        """The rules that hold between columns, and those that cannot be kept."""
        for at, line in enumerate(lines):
            self.note(("rules: " if at == 0 else "       ") + line)
        for rule in lost:
            self.warn(f"all rows keep {rule!r}, but it cannot be kept beside the other rules")

    def result(self, text: str) -> None:
        """What the job was for."""
        print(text, flush=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """A part of the job, timed and shown."""
        if self.quiet:
            stage = Stage(name)
            yield stage
        elif self._console.is_terminal or self._console.is_jupyter:
            with _bar(self._console) as progress:
                stage = _BarStage(name, progress)
                yield stage
        else:
            stage = _PlainStage(name)
            yield stage
            print(f"{name}: done in {stage.elapsed_s:.1f} s", file=sys.stderr, flush=True)
        self.seconds[name] = stage.elapsed_s
        self.span_s[name], self.busy_s[name] = stage.span_s, stage.busy_s
        self.peak_bytes = max(self.peak_bytes, stage.peak_bytes, peak_bytes())

    def stages(self) -> str:
        """The time of each stage, in one line."""
        return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())


def counted(number: int, noun: str) -> str:
    """A number of things in words, `1 file` or `12 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def peak_bytes() -> int:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _BarStage(Stage):
    def __init__(self, name: str, progress: rich.progress.Progress) -> None:
        super().__init__(name)
        self._progress = progress
        self._task = progress.add_task(name, total=1.0, text="", left="")

    def update(
        self, share: float, text: str, left_s: float | None = None, *, at_most: bool = False
    ) -> None:
        left = _told(self._left(share, left_s), at_most)
        self._progress.update(self._task, completed=min(share, 1.0), text=escape(text), left=left)


class _PlainStage(Stage):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._said = self.started

    def update(
        self, share: float, text: str, left_s: float | None = None, *, at_most: bool = False
    ) -> None:
        if time.monotonic() - self._said < LINE_SECONDS:
            return
        self._said = time.monotonic()
        left = _told(self._left(share, left_s), at_most)
        ending = f", {left}" if left else ""
        print(f"{self.name}: {share:.0%}, {text}{ending}", file=sys.stderr, flush=True)


def _told(seconds: float | None, at_most: bool) -> str:
    """Seconds as `at most 2:05 left`; nothing where they are not known."""
    if seconds is None:
        return ""
    return f"{'at most ' if at_most else ''}{clock(seconds)} left"


def clock(seconds: float) -> str:
    """Seconds as `2:05` or `1:02:05`."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _bar(console: Console) -> rich.progress.Progress:
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description:<9}"),
        rich.progress.BarColumn(bar_width=24),
        rich.progress.TaskProgressColumn(),
        rich.progress.TextColumn("{task.fields[text]}"),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("{task.fields[left]}"),
        console=console,
    )
