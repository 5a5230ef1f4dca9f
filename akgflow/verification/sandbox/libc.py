"""System calls that Python does not offer, through the C library that is loaded already."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
from typing import Any

# Numbers from the uapi headers linux/prctl.h and linux/capability.h, and from glibc's malloc.h.
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

M_PERTURB = -6
POISON = 0x7F
"""Every byte of memory that the allocator hands out in a candidate: 3.4e38 as float32 and bfloat16, NaN as float16."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Refused(OSError):
    """The kernel did not do what a layer needs; the text names the call."""


def checked(result: int, call: str) -> int:
    """``result``, or `Refused` with what the kernel said about ``call``."""
    if result < 0:
        number = ctypes.get_errno()
        raise Refused(number, f"{call}: {os.strerror(number)}")
    return result


def syscall(call: str, number: int, *args: Any) -> int:
    """A system call by its number, the same on x86-64 and aarch64 for all that came after 2019."""
    ctypes.set_errno(0)
    wide = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return checked(int(_libc.syscall(ctypes.c_long(number), *wide)), call)


def prctl(option: int, value: int, third: int = 0) -> None:
    """Linux ``prctl``; raises `OSError` when the kernel refuses."""
    wide = [ctypes.c_ulong(part) for part in (value, third, 0, 0)]
    checked(int(_libc.prctl(option, *wide)), f"prctl {option}")


def unshare(flags: int) -> None:
    """Leave the namespaces that ``flags`` name for new ones."""
    checked(int(_libc.unshare(flags)), "unshare")


_CLONE = {"x86_64": 56, "aarch64": 220}


def clone(flags: int) -> int:
    """``os.fork`` into new namespaces: one fork less than to fork, unshare and fork again. 0 in the child.

    The C library does not notice; Python is told. The child may fork again and make plain calls, no more.
    """
    if not flags:
        return os.fork()
    kind = machine()
    if kind is None:
        raise Refused(errno.ENOSYS, "the numbers of system calls are known for x86-64 and aarch64 only")
    python = ctypes.pythonapi
    # A library handle that keeps Python's lock: the child must own it as the parent does.
    bare = ctypes.PyDLL(None, use_errno=True)
    bare.syscall.restype = ctypes.c_long
    numbers = [ctypes.c_long(part) for part in (_CLONE[kind], flags | signal.SIGCHLD, 0, 0, 0, 0)]
    python.PyOS_BeforeFork()
    pid = int(bare.syscall(*numbers))
    if pid == 0:
        python.PyOS_AfterFork_Child()
        return 0
    number = ctypes.get_errno()
    python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise Refused(number, f"clone: {os.strerror(number)}")
    return pid


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Linux ``mount``."""
    texts = [text.encode() if text is not None else None for text in (source, target, kind, options)]
    result = _libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])
    checked(int(result), f"mount {kind or source} on {target}")


def umount(target: str, flags: int) -> None:
    """Linux ``umount2``."""
    checked(int(_libc.umount2(target.encode(), flags)), f"umount {target}")


def machine() -> str | None:
    """``x86_64`` or ``aarch64`` with 64-bit pointers; None on anything else, whose call numbers are not known here."""
    found = platform.machine()
    return found if found in ("x86_64", "aarch64") and ctypes.sizeof(ctypes.c_void_p) == 8 else None


def drop_capabilities() -> None:
    """Give up every capability for good: those held now, and those that a program's file could give back."""
    last = int(open("/proc/sys/kernel/cap_last_cap", encoding="ascii").read())  # noqa: SIM115
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    for number in range(last + 1):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError:  # Without privileges there is nothing to drop, and `PR_SET_NO_NEW_PRIVS` keeps it so.
            break
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    checked(int(_libc.capset(header, none)), "capset")


def poison_allocations(on: bool) -> None:
    """Fill what malloc hands out with `POISON`, so that an element that nobody wrote is seen; or stop doing so."""
    _libc.mallopt(M_PERTURB, (POISON ^ 0xFF) if on else 0)
