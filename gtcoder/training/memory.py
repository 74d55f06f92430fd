"""Memory that a step gives back is kept for the next one, not for the system.

glibc returns large arrays to the system as soon as they are free, so that every step has all of its
pages made and zeroed anew: on a CPU that is a fifth of the time.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3)
_KEPT_BYTES = 512 << 20
"""Of free memory that a process keeps, at most."""
_MAPPINGS = 65_536
"""Arrays that have pages of their own, at most: glibc's default."""


@contextmanager
def memory_kept() -> Iterator[None]:
    """So within, but for what is on a GPU. Nothing happens where the C library is not glibc."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt, trim = (getattr(library, name, None) for name in ("mallopt", "malloc_trim"))
    if mallopt is None or trim is None:
        yield
        return
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        mallopt(_MMAP_MAX, _MAPPINGS)
        trim(0)
