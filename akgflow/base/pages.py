"""Pages of memory whose rights change: the C library's calls, and instructions put into a page of their own."""

from __future__ import annotations

import ctypes
import mmap


def libc() -> ctypes.CDLL:
    """A handle of its own with the types of ``mmap`` and ``mprotect`` stated: addresses do not fit into an int."""
    found = ctypes.CDLL(None)
    found.mmap.restype = ctypes.c_void_p
    found.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    found.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return found


def executable(code: bytes) -> int:
    """The address of new pages that hold ``code``, readable and executable; they are never unmapped."""
    system, size = libc(), -(-len(code) // mmap.PAGESIZE) * mmap.PAGESIZE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start: int = system.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    ctypes.memmove(start, code, len(code))
    system.mprotect(start, size, mmap.PROT_READ | mmap.PROT_EXEC)
    return start
