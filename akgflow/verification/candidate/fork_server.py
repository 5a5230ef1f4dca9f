"""The fork server: torch loaded, the GPU untouched, and nothing of any operator, seed or oracle.

Started with the number of a descriptor (`process_tree.python_command`), it answers requests on that packet socket:
``spawn`` forks a candidate process, ``end`` ends one with everything it started, ``name`` names a function that one
tried to enter. When the socket closes, all of them end.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
from pathlib import Path

from akgflow.verification import sandbox
from akgflow.verification.sandbox import process_tree
from akgflow.verification.shared import allocation_guards, library_traps
from akgflow.verification.shared.channel import Channel, ChannelClosed
from akgflow.verification.shared.fork_protocol import (
    End,
    Ended,
    Named,
    NameFunction,
    Ready,
    Request,
    Spawn,
    Spawned,
    request_in,
)


class ForkServer:
    """Parent and reaper of the candidates: orphans that they leave behind become its children."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.launcher = sandbox.Launcher()
        allocation_guards.install()
        self.live: dict[int, sandbox.Launched] = {}
        self._names = {function.address: function.name for function in library_traps.hooked_functions()}

    def serve(self) -> None:
        """Answer until the judge is gone."""
        try:
            while True:
                message, fds = self.channel.receive_with_fds(2)
                self.channel.send(self._answer(request_in(message), fds).data())
        except ChannelClosed:
            pass
        finally:
            for guard in tuple(self.live):
                self._end(guard, 0.0)

    def _answer(self, request: Request, fds: list[int]) -> Spawned | Ended | Named:
        match request:
            case Spawn():
                return self._spawned(request.bounds, fds)
            case End():
                return self._end(request.guard, request.grace)
            case NameFunction():
                return Named(self._names.get(request.address))

    def _spawned(self, bounds: sandbox.Bounds, fds: list[int]) -> Spawned:
        """A new process, or why none could be started."""
        try:
            return self._spawn(bounds, fds)
        except (OSError, RuntimeError) as error:
            number = error.errno if isinstance(error, OSError) else None
            return Spawned(0, 0, (), str(error), number or 0)

    def _spawn(self, bounds: sandbox.Bounds, fds: list[int]) -> Spawned:
        talk, log = fds

        def candidate() -> None:
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((null, 0), (log, 1), (log, 2)):
                os.dup2(source, target)
            os.close(null)
            os.close(log)
            from akgflow.verification.candidate.host import serve

            serve(Channel(socket.socket(fileno=talk)), Path(bounds.scratch), bounds.threads)

        try:
            launched = self.launcher.launch(bounds, fds, candidate)
        finally:
            os.close(talk)
            os.close(log)
        self.live[launched.guard] = launched
        return Spawned(launched.guard, launched.pid, launched.layers)

    def _end(self, guard: int, grace: float) -> Ended:
        """Wait ``grace`` seconds for a natural end, then end all of it; the status as ``os.waitpid`` gives it."""
        launched = self.live.pop(guard, None)
        if launched is None:
            return Ended(0, killed=False)
        status = launched.ended(grace)
        launched.end()
        self._end_strays()
        return Ended(status or 0, killed=status is None)

    def _end_strays(self) -> None:
        """Kill orphans that have become our children; we have no others but the guards."""
        for _ in range(1000):
            strays = process_tree.children_of(os.getpid()) - set(self.live)
            if not strays:
                return
            for pid in strays:
                process_tree.end_below(pid)
            process_tree.send(strays, signal.SIGKILL)
            for pid in strays:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def main() -> None:
    """Load torch once, then serve."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    sandbox.prctl(sandbox.PR_SET_CHILD_SUBREAPER, 1)
    # No other process of this user may look into this one, or at what it has open.
    sandbox.prctl(sandbox.PR_SET_DUMPABLE, 0)
    # Brings torch: this is what a fork saves.
    import akgflow.verification.candidate.host  # noqa: F401
    from akgflow.verification.candidate import dispatch_guard

    dispatch_guard.names_of("CPU")
    server = ForkServer(channel)
    gc.collect()
    gc.freeze()
    channel.send(Ready(sorted(library_traps.libraries())).data())
    server.serve()
