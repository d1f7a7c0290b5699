"""Large buffers go back to the system when they are freed: what a photo or a feed took is kept by no thread.

Left alone, glibc learns from the first large buffer that is freed to take the next ones (up to 32 MiB) out of arenas,
of which each thread has one, and arenas keep what lies in their midst. A hundred photos of 5 MB left the server 2 or 37
MiB larger, as it came; so they leave it 2 to 7 MiB larger, and it begins 10 to 18 smaller.
"""

import ctypes
from typing import Final

LARGE: Final = 1024 * 1024
_TOP: Final = 4 * LARGE
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def give_back_large_buffers() -> None:
    """From 1 MiB on, in this process, by mallopt(3); of a C library that has none nothing is asked."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
        mallopt(_M_TRIM_THRESHOLD, _TOP)  # else it would be trimmed again and again: setting one ends learning both
