"""Scratch folders of judges: each has an owner, and folders of owners that were killed are removed.

The owner holds a lock on the folder itself (``flock(2)``), which the kernel releases however a process ends. So a
folder that can be locked has no owner. Process ids are not compared: another process may have the id by now.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from akgflow.verification.sandbox.untrusted_files import remove

_PREFIX = "akgflow-judge-"
_PATIENCE_SECONDS = 5.0


class Scratch:
    """An empty folder of this process, removed by `close`. Raises `BlockingIOError` where another process owns it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder.absolute()
        self._handle = _owned(self.path)
        for left in self.path.iterdir():
            remove(left)

    def close(self) -> None:
        """Remove the folder with its contents."""
        remove(self.path)
        os.close(self._handle)


def temporary() -> Scratch:
    """A scratch folder among the system's temporary files, after those whose owners are gone are removed."""
    root = Path(tempfile.gettempdir())
    sweep(root.glob(f"{_PREFIX}*"))
    return Scratch(root / f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}")


def sweep(folders: Iterable[Path]) -> None:
    """Remove those of ``folders`` that belong to this user and have no owner; those that cannot be removed stay."""
    for folder in folders:
        with suppress(OSError):
            handle = _locked(folder)
            if handle is None:
                continue
            try:
                if os.fstat(handle).st_uid == os.getuid():
                    remove(folder)
            finally:
                os.close(handle)


def _owned(folder: Path) -> int:
    """The folder's descriptor, locked. A sweep may remove the folder before that: then it is made again."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            handle = _locked(folder)
            if handle is not None and _is(handle, folder):
                return handle
            if handle is not None:
                os.close(handle)
        time.sleep(0.02)
    raise BlockingIOError(errno.EAGAIN, "it belongs to another process", str(folder))


def _locked(folder: Path) -> int | None:
    """The folder's descriptor with its lock; None where another process holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _is(handle: int, folder: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), folder.stat())
    return False
