"""What the kernel counts for one process at a time: address space, file size, descriptors, processes of the user."""

from __future__ import annotations

import os
import resource
from pathlib import Path

MAX_FILE_BYTES = 1 << 30
MAX_DESCRIPTORS = 4096
MAX_TASKS = 256 + 64 * (os.cpu_count() or 1)
"""Processes and threads together; a machine with many cores starts hundreds of threads for one OpenMP region. With
many more, ending them takes minutes for want of a core."""
RESERVED_PIDS = 300
"""Numbers of processes that the kernel gives out only once."""


def bound(memory_bytes: int | None, *, own_user_namespace: bool) -> None:
    """Bound this process. ``memory_bytes`` beyond what it has mapped; None where a GPU's address space forbids it.

    The number of tasks is counted for each user, and by itself only in a user namespace; elsewhere the user's other
    programs would count as the candidate's. For root the kernel does not look at it.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
    _lower(resource.RLIMIT_NOFILE, MAX_DESCRIPTORS)
    if own_user_namespace:
        _lower(resource.RLIMIT_NPROC, MAX_TASKS)
    if memory_bytes is not None:
        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, mapped + memory_bytes)


def _lower(kind: int, most: int) -> None:
    """Set both limits to ``most``, or leave the hard one where it is lower already."""
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))
