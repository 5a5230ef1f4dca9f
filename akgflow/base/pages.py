"""The C library's calls that make pages of memory executable, and writable."""

from __future__ import annotations

import ctypes


def libc() -> ctypes.CDLL:
    """A handle of its own with the types of ``mmap`` and ``mprotect`` stated: addresses do not fit into an int."""
    found = ctypes.CDLL(None)
    found.mmap.restype = ctypes.c_void_p
    found.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    found.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return found
