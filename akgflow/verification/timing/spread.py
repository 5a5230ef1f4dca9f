"""The threads of a process, each on a core of its own while it is timed.

The threads of a stopped process are woken all at once, and those of a parallel loop anew for each loop. The system puts
two of them on one core now and then, and leaves them there for tens of milliseconds, though another core has nothing to
do: a window's time would tell which way they fell.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Collection, Iterator
from pathlib import Path


class Threads:
    """The threads of process ``pid``, the main one first, then those that have run most since the last look."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._before: dict[int, int] = {}
        self._allowed: dict[int, Collection[int]] = {}

    def spread(self) -> None:
        """Bind each thread to one core; one that has chosen its cores by itself keeps them."""
        here = ctypes.CDLL(None).sched_getcpu()
        # The judge goes on for a moment where it is.
        cores = sorted(os.sched_getaffinity(0), key=lambda core: (core == here, core))
        for number, thread in enumerate(self._in_order()):
            with contextlib.suppress(OSError):
                own = os.sched_getaffinity(thread)
                if own.issuperset(cores):
                    os.sched_setaffinity(thread, {cores[number % len(cores)]})
                    self._allowed[thread] = own

    def free_main(self) -> None:
        """Let the main thread go where it likes: what it starts must not be bound to one core with it."""
        self._free(self.pid)

    def free(self) -> None:
        """Let all threads go where they like."""
        for thread in tuple(self._allowed):
            self._free(thread)

    def _free(self, thread: int) -> None:
        if thread in self._allowed:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, self._allowed.pop(thread))

    def _in_order(self) -> list[int]:
        now = dict(self._ran())
        since = {thread: ran - self._before.get(thread, 0) for thread, ran in now.items()}
        self._before = now
        return sorted(now, key=lambda thread: (thread != self.pid, -since[thread]))

    def _ran(self) -> Iterator[tuple[int, int]]:
        """Nanoseconds that each thread has run."""
        for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError, ValueError):
                yield int(path.parent.name), int(path.read_text(encoding="ascii").split()[0])
