"""Judging on this machine: long-lived judge processes, as many as its cores carry, and one timing at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.machine import Machine
from akgflow.serial import from_data, to_data
from akgflow.terms import Status
from akgflow.verdict import Environment, JudgeRequest, Verdict
from akgflow.verification.environment import scrubbed
from akgflow.verification.remains import remove

MARGIN_SECONDS = 900.0
"""What a judge may spend beyond the candidate's own limits: its oracles, its timings, its own start."""
FEATURE_SECONDS = 120.0
"""For one call of an operator without values, and for a judge to start."""
LINE_BYTES = 64 << 20


class JudgeLost(Exception):
    """A judge process ended, or answered nothing that can be read; the text says what is known."""


class Floor:
    """Many may judge at once, or one may time alone. A waiting timing goes before judgements that have not begun."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._shared, self._waiting, self._alone = 0, 0, False

    async def enter(self) -> None:
        """Join the judging; waits while somebody times or waits to."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone and not self._waiting)
            self._shared += 1

    async def leave(self) -> None:
        """Stop judging."""
        async with self._changed:
            self._shared -= 1
            self._changed.notify_all()

    async def seize(self) -> None:
        """Have the machine alone."""
        async with self._changed:
            self._waiting += 1
            try:
                await self._changed.wait_for(lambda: not self._alone and not self._shared)
                self._alone = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()

    async def release(self) -> None:
        """Let the others judge again."""
        async with self._changed:
            self._alone = False
            self._changed.notify_all()


class JudgeProcess:
    """One judge, started lazily; its session is its own, so that Ctrl-C in a terminal does not reach it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process, self._log = process, log
        self._count = 0

    @classmethod
    async def start(cls, machine: Machine, folder: Path) -> JudgeProcess:
        """Start a judge and wait until it has loaded its torch."""
        log = folder / f"judge-{os.urandom(4).hex()}.log"
        # Idle OpenMP workers of a judge would else spin for 10 ms on a core that what it times needs.
        own = {"PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        environment = scrubbed(os.environ, "HOME", "TMPDIR", "XDG_CACHE_HOME") | own
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "akgflow.verification.serve"),
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
            await judge._write({"machine": to_data(machine)})
            await judge._read()
        except BaseException:
            await judge.end()
            raise
        return judge

    async def judge(self, request: JudgeRequest, scratch: Path, floor: Floor) -> Verdict:
        """One judgement; holds the floor while it lasts, alone while it times. Raises `JudgeLost`."""
        self._count += 1
        await floor.enter()
        leave = floor.leave
        try:
            await self._write({"id": self._count, "request": to_data(request), "scratch": str(scratch)})
            while True:
                reply = await self._read()
                if "verdict" in reply:
                    return from_data(reply["verdict"], Verdict)
                if "bug" in reply:
                    raise JudgeLost(f"the judge failed: {reply['bug']}")
                await floor.leave()
                leave = _nothing
                await floor.seize()
                leave = floor.release
                await self._write({"id": self._count, "granted": True})
        finally:
            await asyncio.shield(leave())

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """What an operator does. Raises `JudgeLost`."""
        self._count += 1
        await self._write({"id": self._count, "features": to_data(request)})
        reply = await self._read()
        if "features" not in reply:
            raise JudgeLost(f"the judge failed: {reply.get('bug')}")
        return from_data(reply["features"], OperatorFeatures)

    async def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise JudgeLost(await self._last_words()) from error

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise JudgeLost(await self._last_words())
        message: dict[str, Any] = json.loads(line)
        return message

    async def _last_words(self) -> str:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5.0)
        code = self._process.returncode
        how = (
            f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with code {code}"
        )
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-1500:].strip()
        return f"the judge process {how}{': ' + tail if tail else ''}"

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.returncode is None

    async def end(self) -> None:
        """End the judge: its input closes, it goes, and its fork server ends every candidate; by force if it must."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10.0)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        await _group_gone(self._process.pid)


async def _nothing() -> None:
    return None


async def _group_gone(leader: int) -> None:
    """Wait for the fork server, which is in the judge's group, to end its candidates."""
    for _ in range(1500):
        try:
            os.killpg(leader, 0)
        except (ProcessLookupError, PermissionError):
            return
        await asyncio.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


class LocalExecutor:
    """Judges on this machine; an `akgflow.executors.base.Executor`.

    ``scratch_root`` is a folder for the judges' logs and the candidates' working folders, which are removed after each
    judgement. Correctness is judged by up to ``judges`` at once, by default half as many as there are cores; timing has
    the machine alone.
    """

    def __init__(self, machine: Machine, scratch_root: Path, judges: int | None = None) -> None:
        self.machine = machine
        self.root = scratch_root
        self._slots = asyncio.Semaphore(judges or max(1, machine.cores // 2))
        self._floor = Floor()
        self._idle: list[JudgeProcess] = []
        self._all: set[JudgeProcess] = set()

    async def judge(self, request: JudgeRequest) -> Verdict:
        """The verdict. A judge that is lost is replaced and the request tried once more."""
        async with self._slots:
            reason = ""
            for _ in range(2):
                try:
                    return await self._attempt(request)
                except JudgeLost as lost:
                    reason = str(lost)
        return self._not_run(request, reason)

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """What an operator does, from one of the judges; takes milliseconds where one is idle."""
        async with self._slots:
            try:
                async with asyncio.timeout(FEATURE_SECONDS), self._judge() as judge:
                    return await judge.features(request)
            except TimeoutError:
                return OperatorFeatures(unknown=f"one call did not end within {FEATURE_SECONDS:.0f} s")
            except JudgeLost as lost:
                return OperatorFeatures(unknown=str(lost))

    async def _attempt(self, request: JudgeRequest) -> Verdict:
        limits = request.limits
        most = (limits.build_seconds + limits.run_seconds) * (len(request.evidence) + 1) + MARGIN_SECONDS
        async with self._judge() as judge, self._scratch() as scratch:
            try:
                return await asyncio.wait_for(judge.judge(request, scratch, self._floor), most)
            except TimeoutError:
                raise JudgeLost(f"the judge did not answer within {most:.0f} s") from None

    @contextlib.asynccontextmanager
    async def _judge(self) -> AsyncIterator[JudgeProcess]:
        """An idle judge or a new one; one that was interrupted is ended, since it may still be at work."""
        self.root.mkdir(parents=True, exist_ok=True)
        judge = self._idle.pop() if self._idle else None
        if judge is None or not judge.alive:
            judge = await JudgeProcess.start(self.machine, self.root)
            self._all.add(judge)
        try:
            yield judge
        except BaseException:
            self._all.discard(judge)
            await asyncio.shield(judge.end())
            raise
        self._idle.append(judge)

    @contextlib.asynccontextmanager
    async def _scratch(self) -> AsyncIterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="judgement-", dir=self.root)).absolute()
        try:
            yield folder
        finally:
            remove(folder)

    def _not_run(self, request: JudgeRequest, reason: str) -> Verdict:
        return Verdict(
            status=Status.NOT_RUN,
            message=reason,
            target=request.target.name,
            evidence=(),
            environment=Environment(self.machine.cpu),
            timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
            absent={evidence.value: reason for evidence in request.evidence},
            tolerance=request.tolerance,
        )

    async def close(self) -> None:
        """End every judge, and with it every process that it started."""
        judges, self._all, self._idle = tuple(self._all), set(), []
        await asyncio.gather(*(judge.end() for judge in judges))
