"""Which cores a process runs on while it is timed: its threads on one each, or its main one where the judge is."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Collection, Iterator

from akgflow.verification.sandbox.process_tree import schedules


class Threads:
    """The threads of process ``pid``, each on its own core: the main one first, then those that ran most recently.

    Threads of a stopped process are woken all at once, those of a parallel loop again for each loop. Now and then the
    scheduler puts two of them on one core, and leaves them there for tens of milliseconds although another core is
    idle: a window's time would depend on that.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._before: dict[int, int] = {}
        self._allowed: dict[int, Collection[int]] = {}

    def spread(self) -> None:
        """Bind each thread to one core; one that has chosen its cores itself keeps them."""
        here = _here()
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
        now = {thread: schedule.ran for thread, schedule in schedules(self.pid).items()}
        since = {thread: ran - self._before.get(thread, 0) for thread, ran in now.items()}
        self._before = now
        return sorted(now, key=lambda thread: (thread != self.pid, -since[thread]))


@contextlib.contextmanager
def on_one_core(pid: int) -> Iterator[None]:
    """Keep this thread and the main thread of process ``pid`` on the core where this one is.

    They run in turns. An idle core takes long to wake, longest in a virtual machine, and longer to reach its full
    speed; this one is awake.
    """
    before = os.sched_getaffinity(0)
    core = {_here()} & before
    try:
        for one in (0, pid) if core else ():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(one, core)
        yield
    finally:
        for one in (0, pid):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(one, before)


def _here() -> int:
    """The core that this thread is on."""
    return int(ctypes.CDLL(None).sched_getcpu())
