"""What bounds a candidate's process, entered right after the fork and before any of its code is read."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
M_PERTURB = -6
POISON = 0x7F
"""Every byte of memory that the allocator hands out in a candidate: 3.4e38 as float32 and bfloat16, NaN as float16."""

MAX_FILE_BYTES = 1 << 30


@dataclass(frozen=True)
class Bounds:
    """``memory_bytes`` beyond what the fork server has mapped; None where a GPU's address space makes it useless."""

    scratch: str
    memory_bytes: int | None
    threads: int


def prctl(option: int, value: int) -> None:
    """Linux ``prctl``; raises `OSError` when the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def confine(bounds: Bounds) -> None:
    """Make this process a group of its own that dies with its parent, bounded in memory and file size."""
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
    if bounds.memory_bytes is not None:
        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        most = mapped + bounds.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    os.chdir(bounds.scratch)
    os.environ.update(
        HOME=bounds.scratch,
        TMPDIR=bounds.scratch,
        OMP_NUM_THREADS=str(bounds.threads),
        MKL_NUM_THREADS=str(bounds.threads),
    )


def poison_allocations(on: bool) -> None:
    """Fill what malloc hands out with `POISON`, so that an element that nobody wrote is seen; or stop doing so."""
    ctypes.CDLL(None).mallopt(M_PERTURB, (POISON ^ 0xFF) if on else 0)
