"""Reading what a user names: plain files of a bounded size, and never a wait for a pipe or a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAX_BYTES = 1 << 20

_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


class Unreadable(Exception):
    """A path that gives no text; the text says why, ``missing`` that nothing is there."""

    def __init__(self, why: str, *, missing: bool = False) -> None:
        self.missing = missing
        super().__init__(why)


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """Up to ``most`` bytes and one more of a plain file; raises `Unreadable`.

    A pipe without a writer, a terminal or a socket would be waited for: each is refused before it is opened, and the
    open does not block, in case the path changes in between.
    """
    try:
        _require_plain(os.stat(path).st_mode)
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            _require_plain(os.fstat(handle).st_mode)
            return stream.read(most + 1)
    except FileNotFoundError:
        raise Unreadable("does not exist", missing=True) from None
    except OSError as error:
        raise Unreadable((error.strerror or "unreadable").lower()) from None
    except ValueError as error:  # a NUL byte, or half of a surrogate pair, in the path itself
        raise Unreadable(f"no path can hold this: {error}") from None


def neighbours(path: Path, most: int = 500) -> list[str]:
    """Names beside ``path``, for a suggestion; none where its folder cannot be listed."""
    try:
        with os.scandir(path.parent) as found:
            return sorted(entry.name for entry, _ in zip(found, range(most), strict=False))
    except (OSError, ValueError):
        return []


def _require_plain(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Unreadable(next((words for is_kind, words in _KINDS if is_kind(mode)), "is no plain file"))
