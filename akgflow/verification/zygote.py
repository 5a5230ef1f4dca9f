"""The fork server: torch loaded, the GPU untouched, and nothing of any operator, seed or oracle.

``python -m akgflow.verification.zygote FD`` answers two requests on the packet socket FD: ``spawn`` forks a candidate
process, ``end`` ends one with everything it started. When the socket closes, all of them end.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from akgflow.verification import sandbox
from akgflow.verification.channel import Channel, ChannelClosed, Message


class Zygote:
    """Parent and reaper of the candidates: orphans that they leave behind become its children."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.live: set[int] = set()

    def serve(self) -> None:
        """Answer until the judge is gone."""
        try:
            while True:
                request, fds = self.channel.receive_with_fds(2)
                if request["op"] == "spawn":
                    self.channel.send(self._spawn(request, fds))
                else:
                    self.channel.send(self._end(int(request["pid"]), float(request["grace"])))
        except ChannelClosed:
            pass
        finally:
            for pid in tuple(self.live):
                self._end(pid, 0.0)

    def _spawn(self, request: Message, fds: list[int]) -> Message:
        talk, log = fds
        pid = os.fork()
        if pid == 0:
            _become_candidate(talk, log, request)
        os.close(talk)
        os.close(log)
        self.live.add(pid)
        return {"pid": pid}

    def _end(self, pid: int, grace: float) -> Message:
        """Wait ``grace`` seconds for a natural end, then kill the group; the status as ``os.waitpid`` gives it."""
        if pid not in self.live:
            return {"status": 0, "killed": False}
        status, killed = _wait(pid, grace), False
        # The leader is still a zombie or alive here, so its number cannot have been given to another group.
        _signal_group(pid)
        if status is None:
            killed = True
            status = _wait(pid, 10.0)
        if status is not None:
            os.waitpid(pid, 0)
        self.live.discard(pid)
        self._end_strays()
        return {"status": status if status is not None else 0, "killed": killed}

    def _end_strays(self) -> None:
        """Kill what left its group: orphans are our children, and we have no others but the live candidates."""
        for _ in range(1000):
            strays = children_of(os.getpid()) - self.live
            if not strays:
                return
            for pid in strays:
                _signal_group(pid)
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for pid in strays:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def _wait(pid: int, seconds: float) -> int | None:
    """The status of ``pid`` without reaping it; None when it is still alive after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        done = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if done is not None:
            return done.si_status << 8 if done.si_code == os.CLD_EXITED else done.si_status
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.002)


def _signal_group(leader: int) -> None:
    if leader != os.getpgrp():
        with contextlib.suppress(OSError):
            os.killpg(leader, signal.SIGKILL)


def children_of(parent: int) -> set[int]:
    """Process ids whose parent is ``parent``, as the kernel lists them now."""
    found: set[int] = set()
    for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(int(pid) for pid in tasks.read_text(encoding="ascii").split())
    return found


def _become_candidate(talk: int, log: int, request: Message) -> NoReturn:
    """The child's side of the fork: keep three descriptors, enter the bounds, serve; never return."""
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != talk:
                with contextlib.suppress(OSError):
                    os.close(int(name))
        sandbox.confine(sandbox.Bounds(request["scratch"], request["memory_bytes"], request["threads"]))
        from akgflow.verification.candidate import serve

        serve(Channel(socket.socket(fileno=talk)), Path(request["scratch"]), request["threads"])
    finally:
        os._exit(0)


def main() -> None:
    """Load torch once, then serve."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    sandbox.prctl(sandbox.PR_SET_CHILD_SUBREAPER, 1)
    import akgflow.verification.candidate  # noqa: F401  (brings torch: this is what a fork saves)

    gc.collect()
    gc.freeze()
    channel.send({"ready": True})
    Zygote(channel).serve()


if __name__ == "__main__":
    main()
