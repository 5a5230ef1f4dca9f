"""One judge process on this machine, driven over its standard streams in the protocol of `worker_protocol`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from akgflow.errors import MachineExhausted
from akgflow.executors.slots import TimingLock
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.machine import Machine
from akgflow.ranking import Ranking, RankRequest
from akgflow.reproduction import Reproduced, ReproduceRequest
from akgflow.verdict import JudgeRequest, Verdict
from akgflow.verification import worker_protocol as worker
from akgflow.verification.sandbox import process_tree
from akgflow.verification.sandbox.env_allowlist import scrubbed
from akgflow.verification.sandbox.process_tree import FROM_OUTSIDE, python_command, signal_name

LINE_BYTES = 64 << 20


class JudgeLost(Exception):
    """A judge process ended, or sent a reply that cannot be read; the text says what is known.

    ``killed`` is True where it was ended by a signal that no program sends to itself by mistake.
    """

    def __init__(self, text: str, killed: bool = False) -> None:
        self.killed = killed
        super().__init__(text)


class JudgeProcess:
    """One judge, in a process session of its own, so that Ctrl-C in a terminal does not reach it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process, self._log = process, log
        self._count = 0

    @classmethod
    async def start(cls, machine: Machine, folder: Path, visible: Mapping[str, str | None]) -> JudgeProcess:
        """Start a judge and wait until it has loaded its torch; ``visible`` are the variables that choose devices."""
        log = folder / f"judge-{os.urandom(4).hex()}.log"
        # By default idle OpenMP workers of a judge spin for 10 ms on cores that the timed kernel needs.
        own = {"PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        kept = {n: v for n, v in scrubbed(os.environ, "HOME", "TMPDIR", "XDG_CACHE_HOME").items() if n not in visible}
        environment = kept | {name: value for name, value in visible.items() if value is not None} | own
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *python_command("akgflow.verification.judge.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=sink,
                cwd=folder,
                env=environment,
                start_new_session=True,
                limit=LINE_BYTES,
            )
        judge = cls(process, log)
        try:
            await judge._write(worker.Start(machine))
            await judge._read()
        except BaseException:
            await judge.end()
            raise
        return judge

    async def judge(self, request: JudgeRequest, scratch: Path, lock: TimingLock) -> Verdict:
        """One judgement; holds ``lock`` while it lasts, exclusively while it times.

        Raises `JudgeLost`, and `MachineExhausted` where the machine is short of something.
        """
        self._count += 1
        reply = await self._timed(worker.Judge(self._count, request, str(scratch)), lock)
        if not isinstance(reply, worker.Judged):
            raise _failed(reply)
        return reply.verdict

    async def rank(self, asked: RankRequest, scratch: Path, lock: TimingLock) -> Ranking:
        """The ranking; holds ``lock`` and raises as `judge` does."""
        self._count += 1
        reply = await self._timed(worker.Rank(self._count, asked, str(scratch)), lock)
        if not isinstance(reply, worker.InOrder):
            raise _failed(reply)
        return reply.ranking

    async def _timed(self, message: worker.Judge | worker.Rank, lock: TimingLock) -> worker.Message:
        async with lock.shared():
            await self._write(message)
            reply = await self._read()
        if isinstance(reply, worker.WantMachine):
            async with lock.exclusive():
                await self._write(worker.Granted(self._count))
                reply = await self._read()
        return reply

    async def reproduce(self, request: ReproduceRequest, scratch: Path) -> Reproduced:
        """A failure shown again. Raises `JudgeLost`, and `MachineExhausted` as `judge` does."""
        self._count += 1
        await self._write(worker.Reproduce(self._count, request, str(scratch)))
        reply = await self._read()
        if not isinstance(reply, worker.Found):
            raise _failed(reply)
        return reply.found

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """What an operator does. Raises `JudgeLost`."""
        self._count += 1
        await self._write(worker.Look(self._count, request))
        reply = await self._read()
        if not isinstance(reply, worker.Looked):
            raise _failed(reply)
        return reply.features

    async def _write(self, message: worker.Message) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(worker.to_line(message).encode())
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise await self._lost() from error

    async def _read(self) -> worker.Message:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise await self._lost()
        try:
            message = worker.from_line(line)
        except ValueError as error:
            raise JudgeLost(str(error)) from error
        if isinstance(message, worker.Exhausted):
            raise MachineExhausted(message.reason)
        return message

    async def _lost(self) -> JudgeLost:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5.0)
        code = self._process.returncode
        how = f"was ended by {signal_name(-code)}" if code is not None and code < 0 else f"ended with code {code}"
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-1500:].strip()
        killed = code is not None and -code in FROM_OUTSIDE
        return JudgeLost(f"the judge process {how}{': ' + tail if tail else ''}", killed)

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.returncode is None

    async def end(self) -> None:
        """End the judge by closing its input, by SIGKILL if it stays; its fork server ends every candidate."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10.0)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        await _group_gone(self._process.pid)


def _failed(reply: worker.Message) -> JudgeLost:
    return JudgeLost(f"the judge failed: {reply.traceback if isinstance(reply, worker.Bug) else reply}")


async def _group_gone(leader: int) -> None:
    """Wait for the fork server, which is in the judge's group, to end its candidates."""
    for _ in range(1500):
        if not process_tree.runs_in_group(leader):
            return
        await asyncio.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
