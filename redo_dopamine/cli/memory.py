"""Keep freed memory, where glibc's default costs a tenth of the speed."""

import ctypes
import os

# glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST = 2**31 - 1  # bytes, of the type that mallopt takes


def keep_freed_memory() -> bool:
    """Let glibc hand freed memory out again, instead of giving it back each time.

    A program that XLA compiled for a CPU allocates the arrays it works with at each
    call and frees them at its end: tens of megabytes for an update of the Nature
    network. By default glibc returns them to the system each time and asks for others,
    of which the system maps every page again, filled with zeros. One arena lets every
    thread have what another one freed. Only arrays from 1 GiB on, such as a large
    replay buffer's, still go back at once.

    Results are the same, bit for bit. Where the environment has settings of `malloc`
    (`MALLOC_TRIM_THRESHOLD_` and others), those hold and nothing is changed.

    Returns:
        Whether the allocator is glibc's and took the settings.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # macOS, musl.
        return False
    settings = {_ARENA_MAX: 1, _MMAP_THRESHOLD: 2**30, _TRIM_THRESHOLD: _LARGEST}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])
