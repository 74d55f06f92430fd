"""What a command says when Ctrl-C or SIGTERM stops it: what is left, and how to go on.

Either signal raises KeyboardInterrupt, the only exception that Ray lets through while it waits.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

GOES_ON = "the same command goes on where it stopped"
"""Of what writes files one by one, and keeps those that are whole."""


@dataclass(slots=True)
class _Stop:
    """The signal that stops this process, once it has come."""

    number: int = 0
    waits: bool = False
    """Whether the first one is only noted."""
    told: bool = False
    """Whether a line was said of it."""


_stop = _Stop()


def heed_signals() -> None:
    """Let Ctrl-C and SIGTERM stop this process."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _came)


@contextmanager
def start_of_ray() -> Iterator[None]:
    """Let a stop wait until Ray has started, else it would crash; a second one does not wait.

    Ray gets no handler of its own: it would end the process without a word.
    """
    if signal.getsignal(signal.SIGINT) is not _came:  # no command, so no business of ours
        yield
        return
    from ray._private import utils

    rays, utils.set_sigterm_handler = utils.set_sigterm_handler, lambda handler: None
    _stop.waits = True
    try:
        yield
    finally:
        _stop.waits = False
        utils.set_sigterm_handler = rays
        heed_signals()  # its native part has one that prints a stack
    if _stop.number:
        raise KeyboardInterrupt


@contextmanager
def leaving(say: Callable[[], str]) -> Iterator[None]:
    """Say what a stop leaves behind, the moment it comes: who stops it may not wait for the end.

    Args:
        say: what is left where, and how to go on; nothing is said where it is empty.
    """
    try:
        yield
    except KeyboardInterrupt:
        _stop.told = True
        if line := say():
            print(f"interrupted; {line}", file=sys.stderr, flush=True)
        raise


def exit_code() -> int:
    """What a process that was stopped ends with, as shells count; 0 if no signal came.

    What nothing was said of until then is told here.
    """
    if not _stop.number:
        return 0
    if not _stop.told:
        print("interrupted", file=sys.stderr, flush=True)
        _stop.told = True
    return 128 + _stop.number


def _came(number: int, frame: Any) -> None:
    noted, _stop.number = _stop.number, number
    if noted or not _stop.waits:
        raise KeyboardInterrupt
