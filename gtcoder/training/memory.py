"""Memory that a step gives back is kept for the next one, not for the system.

glibc returns large arrays to the system as soon as they are free, so that every step has all of its
pages made and zeroed anew: on a CPU that is an eighth to a fifth of the time.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # of mallopt(3)
_NEVER, _MAPPINGS = -1, 65_536
_LARGEST_BYTES = 32 << 20
"""Arrays beyond it have pages of their own outside trainings: as far as glibc itself would go."""


@contextmanager
def memory_kept(device: torch.device) -> Iterator[None]:
    """So within, for the whole process, and what was kept is given back at the end.

    Nothing happens where training is not on a CPU or the C library is not glibc; and in a thread
    that glibc gave an arena of its own, as in Ray's workers, arrays beyond 64 MB are not kept.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" and device.type == "cpu" else None
    mallopt, trim = (getattr(library, name, None) for name in ("mallopt", "malloc_trim"))
    if mallopt is None or trim is None:
        yield
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        mallopt(_MMAP_MAX, _MAPPINGS)
        mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_BYTES)
        trim(0)
