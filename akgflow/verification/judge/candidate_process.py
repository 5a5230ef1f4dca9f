"""The judge's end of candidate processes: start one, ask it, bound it, end it, and say why it ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from akgflow.terms import Status
from akgflow.verdict import Limits
from akgflow.verification import sandbox
from akgflow.verification.judge.failures import CRASHES, CandidateFailed, Crashed, Disturbed, reported, timed_out
from akgflow.verification.judge.resources.machine_pressure import Pressure, killed_for_memory
from akgflow.verification.judge.resources.resource_monitor import ResourceMonitor
from akgflow.verification.sandbox import process_tree
from akgflow.verification.sandbox.env_allowlist import scrubbed
from akgflow.verification.sandbox.process_tree import signal_name
from akgflow.verification.shared import fields as reading
from akgflow.verification.shared import library_traps
from akgflow.verification.shared.channel import Channel, ChannelClosed, ChannelFull, NotAMessage, Waiting
from akgflow.verification.shared.fields import Fields, Malformed
from akgflow.verification.shared.fork_protocol import End, Ended, Named, NameFunction, Ready, Spawn, Spawned
from akgflow.verification.shared.op_policy import CALLING, PREPARE, PolicyPage
from akgflow.verification.shared.protocol import Failure, Request

START_SECONDS = 180.0
"""For the fork server to load torch, on a machine that is busy."""
BUILDS = "builds"
"""Folder below a candidate's scratch with what it built, now or in an earlier judgement."""
GRACE_SECONDS = 0.5
"""For what a call started to end after it."""
R = TypeVar("R")
_Reply = TypeVar("_Reply", Spawned, Ended, Named)


class ForkServerClient:
    """Starts a process with torch loaded, and has it fork candidates; starts another one when it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._ready = False
        self.pressure = Pressure()
        self.lives = 1
        """How often it was started: candidates end with the fork server that they come from."""
        self._one_at_a_time = threading.Lock()
        self._libraries = frozenset[str]()
        self._looked_into: dict[tuple[int, ...], bool] = {}
        # Candidates that outlive a killed fork server become children of this process, where they are ended.
        sandbox.prctl(sandbox.PR_SET_CHILD_SUBREAPER, 1)

    def start(self) -> None:
        """Start loading torch; returns at once."""
        channel, theirs = Channel.pair()
        # Idle OpenMP workers spin for milliseconds otherwise, and two that were woken on one core wait for each other.
        own = {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "GOMP_SPINCOUNT": "20000"}
        environment = scrubbed(os.environ) | own
        self._process = subprocess.Popen(
            process_tree.python_command("akgflow.verification.candidate.fork_server", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        theirs.close()
        self._channel, self._ready = channel, False

    def spawn(
        self, scratch: Path, limits: Limits, threads: int, on_gpu: bool, reads: Sequence[str] = ()
    ) -> CandidateProcess:
        """A new candidate process that works in ``scratch``; ``reads`` are further folders that it may read."""
        ours, theirs = Channel.pair()
        log = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115  (lives as long as the process)
        if on_gpu:
            # The driver's device nodes are made when the first program asks for them.
            import torch

            torch.cuda.init()
        builds = scratch / BUILDS
        builds.mkdir(exist_ok=True)
        bounds = sandbox.Bounds(str(scratch), limits.memory_bytes, threads, on_gpu, str(builds), tuple(reads))
        request, fds = Spawn(bounds), [theirs.fileno(), log.fileno()]
        try:
            spawned = self._ask(request, Spawned, fds)
        except ChannelClosed:
            self.end_all()
            spawned = self._ask(request, Spawned, fds)
        finally:
            theirs.close()
        if spawned.failed:
            raise OSError(spawned.errno, f"no candidate process can be started: {spawned.failed}")
        place = Place(spawned.guard, spawned.pid, str(scratch), tuple(spawned.layers))
        return CandidateProcess(self, place, ours, log, limits)

    def end(self, guard: int, life: int, grace: float) -> tuple[int, bool]:
        """End a candidate and everything it started; its wait status, and whether it had to be killed.

        Raises `ChannelClosed` where the fork server that it came from has ended, and it with it.
        """
        with self._one_at_a_time:
            if life != self.lives:
                raise ChannelClosed("the fork server was started again")
            try:
                ended = self._ask_locked(End(guard, grace), Ended)
            except ChannelClosed:
                self.end_all()
                raise
        return ended.status, ended.killed

    def entered(self, process: CandidateProcess, trap: library_traps.Trap, *, timed: bool) -> str | None:
        """A library's function that a guarded process has gone into, or a library of kernels that it has loaded.

        What it has loaded takes a while to find out, and is not asked while it is ``timed``.
        """
        address = trap.entered
        if address is not None:
            with contextlib.suppress(ChannelClosed):
                return self._ask(NameFunction(address), Named).name or "a library's kernel"
            return "a library's kernel"
        with contextlib.suppress(OSError):
            if timed:
                return None
            return library_traps.foreign(process.pid, self._libraries, self._looked_into)
        return None

    def code_of(self, process: CandidateProcess) -> frozenset[str]:
        """Files with code that a process has mapped itself; none once it has ended."""
        with contextlib.suppress(OSError):
            return library_traps.libraries(process.pid) - self._libraries
        return frozenset()

    def _ask(self, request: Spawn | End | NameFunction, reply: type[_Reply], fds: Sequence[int] = ()) -> _Reply:
        with self._one_at_a_time:
            return self._ask_locked(request, reply, fds)

    def _ask_locked(self, request: Spawn | End | NameFunction, reply: type[_Reply], fds: Sequence[int] = ()) -> _Reply:
        return reply.of(self._ask_alone({"op": request.op} | request.data(), fds))

    def _ask_alone(self, message: Mapping[str, Any], fds: Sequence[int]) -> Mapping[str, Any]:
        if self._channel is None:
            self.start()
        channel = self._channel
        assert channel is not None
        if not self._ready:
            if not channel.wait(START_SECONDS):
                raise ChannelClosed("the fork server did not start")
            self._libraries = frozenset(Ready.of(channel.receive()).libraries)
            self._ready = True
        channel.send(dict(message), fds)
        if not channel.wait(60.0):
            raise ChannelClosed("the fork server does not answer")
        return channel.receive()

    def end_all(self) -> None:
        """End the fork server and all candidates; the next `spawn` starts a new one."""
        process, channel = self._process, self._channel
        self._process = self._channel = None
        self.lives += 1
        if channel is not None:
            channel.close()
        if process is not None:
            try:
                process.wait(15.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # Candidates of a fork server that was killed are this process's children now.
        for _ in range(100):
            left = process_tree.children_of(os.getpid())
            if not left:
                return
            for pid in left:
                process_tree.end_below(pid)
            process_tree.send(left, signal.SIGKILL)
            for pid in left:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, 0)


class Place(NamedTuple):
    """Where a candidate runs: its guard's and its own process id, its folder, the layers that hold."""

    guard: int
    pid: int
    scratch: str
    layers: tuple[str, ...]


class CandidateProcess:
    """One candidate process. Every method that talks to it raises `CandidateFailed` when it does not answer well."""

    def __init__(
        self, server: ForkServerClient, place: Place, channel: Channel, log: IO[bytes], limits: Limits
    ) -> None:
        self.pid, self.layers, self.limits = place.pid, place.layers, limits
        self._monitor = ResourceMonitor(place.guard, place.scratch, limits)
        self._server, self._channel, self._log, self._place = server, channel, log, place
        self._ended, self._life = False, server.lives
        self._killed_before = killed_for_memory()
        self.policy: PolicyPage | None = None
        self.built = 0.0
        """Seconds of the last request in which the candidate seemed to be building kernels."""
        self.stand_in = False
        """Something stands in for the device: there are sound candidates that it cannot run."""
        self.trusted = False
        self._stopped: set[int] = set()
        self.trap: library_traps.Trap | None = None

    def ask(
        self, request: Request[R], seconds: float, fds: Sequence[int] = (), watch: float = 0.1, building: float = 0.0
    ) -> R:
        """Send one request and wait at most ``seconds`` for its reply; look at its use every ``watch`` seconds.

        What it takes to build does not count, up to ``building`` seconds. Raises `MachineExhausted` for a failure that
        the machine's own state explains.
        """
        try:
            return self._reply(request, seconds, fds, watch, building)
        except CandidateFailed as failure:
            self._server.pressure.look(self._monitor.most_memory)
            if killed_for_memory() > self._killed_before:
                self._server.pressure.memory_ran_out()
            short = self._server.pressure.explain(f"{failure.message}\n{failure.log}")
            if short is None:
                raise
            self.close()
            raise short from failure

    def _reply(self, request: Request[R], seconds: float, fds: Sequence[int], watch: float, building: float) -> R:
        self._require_silence("before it was asked")
        if self.policy is not None:
            self.policy.begin(request.op, request.calls)
        number = secrets.token_hex(16)
        try:
            self._channel.send({"op": request.op, "number": number} | request.fields(), fds)
            self._await(request.op, seconds, watch, building)
            reply = self._channel.receive()
        except (NotAMessage, ChannelFull) as error:
            raise self._forged(str(error)) from None
        except ChannelClosed:
            failure = self._post_mortem()
            self._check_hooks(request.op)
            raise failure from None
        self._check_hooks(request.op)
        found = self._read(request, number, Fields(reply))
        self._require_silence("after its reply")
        if isinstance(found, Failure):
            raise reported(found, self.stand_in)
        return found

    def _read(self, request: Request[R], number: str, reply: Fields) -> R | Failure:
        try:
            if reply.take("number", reading.text(64)) != number:
                raise Malformed("it is not the reply to what was asked")
            found = Failure.read(reply) if reply.has("error") else request.read(reply)
            reply.end()
            return found
        except Malformed as error:
            raise self._forged(str(error)) from None

    def _require_silence(self, when: str) -> None:
        """Raise `CandidateFailed` where the process sends what nobody asked for."""
        if not self._ended and self._channel.waiting() is Waiting.PACKET:
            raise self._forged(f"a packet that was not asked for, {when}")

    def _forged(self, why: str) -> CandidateFailed:
        """The failure for what breaks the protocol: the harness does not, so the candidate wrote it."""
        words = self._words()
        self.close()
        return CandidateFailed(Status.REFUSED, f"the candidate wrote to the judge's channel: {why}", words)

    def _check_hooks(self, op: str) -> None:
        """Raise `CandidateFailed` when a library has done the work of a call."""
        if self.trap is None or op not in (*CALLING, PREPARE):
            return
        name = self._server.entered(self, self.trap, timed=op not in ("call", PREPARE))
        if name is not None:
            why, words = f"{name} did the work: a library of kernels may not do it for the DSL", self._words()
            self.close()
            raise CandidateFailed(Status.FALLBACK, why, words)

    def _await(self, op: str, seconds: float, watch: float, building: float) -> None:
        spent, self.built, then = 0.0, 0.0, time.monotonic()
        while not self._channel.wait(min(watch, max(0.0, seconds - spent))):
            took = time.monotonic() - then
            then += took
            if self._monitor.builds and self.built < building:
                self.built += took
            else:
                spent += took
            if spent >= seconds:
                self.close()
                raise timed_out(op, spent + self.built)
            self._check_use()

    def _check_use(self) -> None:
        """End what grows past its bounds."""
        broken = self._monitor.look()
        self._server.pressure.look(self._monitor.most_memory)
        if broken is not None:
            self.close()
            raise CandidateFailed(*broken)

    def _post_mortem(self) -> CandidateFailed:
        """Why the process is gone, from its wait status and the tail of what it printed."""
        self._channel.close()
        self._ended = True
        try:
            status, killed = self._server.end(self._place.guard, self._life, 2.0)
        except ChannelClosed:
            return Disturbed(Status.NOT_RUN, "the process that candidates are forked from was ended")
        words = self._words()
        if killed:
            return CandidateFailed(Status.RUNTIME_ERROR, "the candidate closed its channel to the judge", words)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = signal_name(number)
            if number == signal.SIGKILL and killed_for_memory() > self._killed_before:
                why = "the candidate's process was killed by the system for want of memory"
                return CandidateFailed(Status.OUT_OF_MEMORY, why, words)
            if number in process_tree.FROM_OUTSIDE:
                status_of = Status.NOT_RUN if self.trusted else Status.RUNTIME_ERROR
                return Disturbed(status_of, f"the candidate's process was ended by {name}", words)
            kind = Crashed if number in CRASHES else CandidateFailed
            return kind(Status.RUNTIME_ERROR, f"the candidate crashed with {name}", words)
        code = os.WEXITSTATUS(status)
        return CandidateFailed(
            Status.RUNTIME_ERROR, f"the candidate ended its process (exit code {code}) instead of answering", words
        )

    def _words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, size - 2000))
            return self._log.read(2000).decode(errors="replace")
        return ""

    def code(self) -> frozenset[str]:
        """Files with code that it has mapped itself."""
        return self._server.code_of(self)

    def waited(self) -> float:
        """Seconds that its threads have spent ready to run while others had the cores, as the kernel counts them."""
        return sum(thread.waited for thread in process_tree.schedules(self.pid).values()) / 1e9

    def require_alone(self) -> None:
        """Raise `CandidateFailed` when a process that it started goes on between two calls.

        Compilers have ended by then; what has not could do the next call's work where no guard sees it.
        """
        deadline = time.monotonic() + GRACE_SECONDS
        while others := self._others():
            if time.monotonic() > deadline:
                names = ", ".join(sorted(set(others.values())))
                self.close()
                raise CandidateFailed(Status.REFUSED, f"a process that the candidate started lived on: {names}")
            time.sleep(0.01)

    def _others(self) -> dict[int, str]:
        found = process_tree.running(self._place.guard)
        # A candidate whose own process has ended will fail at the next request, which says more.
        return {pid: name for pid, name in found.items() if pid != self.pid} if self.pid in found else {}

    def pause(self) -> None:
        """Stop it, so that it takes nothing from what is measured meanwhile; a candidate's helpers end for good.

        Each window begins with a process that was stopped: none begins with a helper at its side.
        """
        stopped = process_tree.stop(self._place.guard)
        if not self.trusted:
            process_tree.send(stopped - {self.pid}, signal.SIGKILL)
        self._stopped |= stopped

    def resume(self) -> None:
        """Let all of it run again; at once, since a clock may be running."""
        process_tree.send(self._stopped, signal.SIGCONT)
        self._stopped = set()

    def close(self) -> None:
        """End the process and all that it started."""
        if not self._ended:
            self._ended = True
            self._channel.close()
            with contextlib.suppress(ChannelClosed):
                self._server.end(self._place.guard, self._life, 0.0)
        self._log.close()
