"""Landlock: the paths that this process and its children may read, run and write, and whom they may signal.

The kernel's landlock has grown by versions; what a version lacks is left out, and `restrict` says which it was.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from akgflow.verification.sandbox.libc import Refused, syscall

# Numbers from the uapi headers asm/unistd.h and linux/landlock.h.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_PATH_BENEATH = 1
_VERSION = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_CHANGE_TREE = sum(1 << bit for bit in range(4, 13))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

READ = EXECUTE | READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | _CHANGE_TREE | REFER
DEVICE = READ_FILE | WRITE_FILE | IOCTL_DEV | READ_DIR
_SINCE = {REFER: 2, TRUNCATE: 3, IOCTL_DEV: 5}

_TCP = 0b11
_SCOPE_ABSTRACT_UNIX, _SCOPE_SIGNAL = 0b01, 0b10


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


@dataclass(frozen=True)
class Grants:
    """Paths, and what is allowed beneath each; a path that does not exist is left out."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    devices: tuple[str, ...] = ()


def version() -> int:
    """The kernel's landlock version, 1 or more. Raises `Refused` where there is none."""
    return syscall("landlock", _CREATE, None, 0, _VERSION)


def is_here() -> bool:
    """Whether this kernel has landlock."""
    try:
        return version() > 0
    except Refused:
        return False


def restrict(grants: Grants, *, network: bool = False) -> int:
    """Allow this thread, and all that it starts, only what ``grants`` name; the version that holds.

    Needs ``PR_SET_NO_NEW_PRIVS``. TCP is refused from version 4 on, unless ``network``, which leaves sockets of every
    kind as they are; signals and abstract unix sockets reach only
    processes that are restricted by the same call or below, from version 6 on. Raises `Refused`.
    """
    found = version()
    handled = (WRITE | DEVICE) & ~sum(right for right, since in _SINCE.items() if since > found)
    net = _TCP if found >= 4 and not network else 0
    scoped = _SCOPE_SIGNAL | (0 if network else _SCOPE_ABSTRACT_UNIX) if found >= 6 else 0
    attributes = _Ruleset(handled, net, scoped)
    size = 24 if found >= 6 else 16 if found >= 4 else 8
    ruleset = syscall("landlock_create_ruleset", _CREATE, ctypes.byref(attributes), size, 0)
    try:
        for paths, rights in ((grants.read, READ), (grants.write, WRITE), (grants.devices, DEVICE)):
            _allow(ruleset, paths, rights & handled)
        syscall("landlock_restrict_self", _RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return found


def _allow(ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        with suppress(FileNotFoundError, PermissionError):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                allowed = rights if os.path.isdir(path) else rights & _OF_FILES
                beneath = _Beneath(allowed, place)
                syscall("landlock_add_rule", _ADD, ruleset, _PATH_BENEATH, ctypes.byref(beneath), 0)
            finally:
                os.close(place)
