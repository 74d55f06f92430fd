"""Memory that a step gives back is kept for the next one, not for the system.

glibc returns large arrays to the system as soon as they are free, so that every step has all of its
pages made and zeroed anew: on a CPU that is a fifth of the time.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT_BYTES = 512 << 20
"""Of free memory that a process keeps, at most."""
_LARGEST_BYTES = 32 << 20
"""Of an array that is kept: glibc takes no more."""


def keep_memory() -> None:
    """For the rest of the process. Nothing happens where the C library is not glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
