"""Bound the memory that the C library keeps beside DuckDB's memory limit."""

from __future__ import annotations

import ctypes
import os
import sys

_M_ARENA_MAX = -8
"""The parameter of `mallopt`, from glibc's malloc.h."""

_VARIABLE = "MALLOC_ARENA_MAX"
"""The variable by which a user sets the same."""


def share_arenas() -> bool:
    """Let the threads of this process allocate from one arena for two cores, and return whether that was set.

    By default glibc gives each thread an arena of its own, up to eight for a core. What DuckDB frees stays in the arena
    of its thread, which DuckDB's limit does not count. Call it before there are threads. On another C library, or if
    the user has set MALLOC_ARENA_MAX, nothing changes.

    Source:
        https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    if sys.platform != "linux" or _VARIABLE in os.environ:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_ARENA_MAX, max(1, (os.cpu_count() or 1) // 2)))
