"""A session: a call in which a command works on a file in a folder for a while, instead of answering at once.

Its reply is what the command printed, followed by the file as it was left, so that a journal or a recording holds both.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from akgflow.base.text import received

_LEFT = "\n--- the file as the agent left it ---\n"


@dataclass(frozen=True)
class Session:
    """What a command gets beside its prompt."""

    folder: Path
    """Where it works and may write; it outlives the call, so that a later one can go on."""
    file: str
    """The name of the file there that is its answer."""
    hidden: tuple[str, ...]
    """Absolute paths that it may not read, as far as the kernel can see to it."""
    begin: Callable[[], float]
    """Called when it begins, after any wait for a place: the seconds that it has."""
    tokens: int
    """Reserved for what it reads in all its turns, and booked where it does not say what it took."""
    asked: Callable[[], bool]
    """Whether it has asked the judge since it began."""

    def left(self, most: int) -> str:
        """The file as it is now; empty where it is none, or longer than ``most`` bytes.

        Nothing in the folder is trusted: a link or a pipe is no file.
        """
        try:
            handle = os.open(self.folder / self.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return ""
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return ""
            data = file.read(most + 1)
        return received(data) if len(data) <= most else ""


def with_file(printed: str, file: str) -> str:
    """The reply of a session."""
    return f"{printed}{_LEFT}{file}"


def file_in(reply: str) -> str | None:
    """The file in the reply of a session; None for a reply that was none: a recorded one by hand, say."""
    _, mark, file = reply.rpartition(_LEFT)
    return file if mark else None
