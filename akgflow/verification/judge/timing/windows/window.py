"""One process on the judge's clock: from releasing fresh inputs to holding the judge's own copy of the answers."""

from __future__ import annotations

import math
import time
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch

from akgflow.terms import Status
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.timing.cores import Threads, on_one_core
from akgflow.verification.judge.timing.windows.questions import Questions
from akgflow.verification.judge.timing.windows.readback import (
    AnswerBuffer,
    CudaReadback,
    HostReadback,
    Readback,
    ReadbackFailed,
    SharedReadback,
)
from akgflow.verification.reference.output_form import aliases
from akgflow.verification.sandbox import process_tree
from akgflow.verification.shared import memory, protocol
from akgflow.verification.shared.protocol import Answered, PrepareWindows, Release, WarmUp

DISTURBED = 0.12
"""A window is disturbed when its process's threads waited for a core for more than this share of it."""
QUIET_SECONDS = 0.002
"""For processes that were stopped, or have just written inputs, to leave the cores; on a CPU."""
WARM_SECONDS = 0.001
"""That a process runs on old questions before one that is asked alone; on a CPU."""
LONG_SECONDS = 0.005
"""A call that takes longer needs no such warming up: waking threads takes a small part of it."""


class State(StrEnum):
    """In what state a process is when it is asked.

    On a GPU nothing is stopped: there `STOPPED` and `RUNNING` are the same.
    """

    STOPPED = "stopped"
    """It was stopped before."""
    RUNNING = "running"
    """It has just answered old questions: each thread that was stopped takes up to half a millisecond to wake, which is
    many short calls."""
    COLD = "cold"
    """Stopped, and with the caches emptied."""


class Window(NamedTuple):
    """Seconds on the judge's clock, and seconds that the process's threads waited for a core meanwhile."""

    seconds: float
    waited: float

    @property
    def disturbed(self) -> bool:
        """True when others held a core that it needed."""
        return self.waited > DISTURBED * self.seconds


class Slots:
    """The memory that holds the questions of all processes, and the judge's memory for answers.

    The last ``warm`` slots hold old questions.
    """

    def __init__(self, questions: Questions, device: str, warm: int) -> None:
        self.questions, self.device, self.warm = questions, device, warm
        self.region = memory.create(questions.count * questions.pitch, device)

    def answer_buffer(self) -> AnswerBuffer:
        """Room for the answers of one process."""
        return AnswerBuffer(self.questions.outs, self.questions.count, self.questions.out_pitch, self.device)

    @cached_property
    def spare(self) -> torch.Tensor:
        """Room for changed inputs that nobody looks at: in overhead windows copying them must take as long."""
        count = self.questions.count * self.questions.out_pitch if self.questions.changed else 0
        return torch.zeros(count, dtype=torch.uint8, device=self.device)

    def write(self, first: int, n: int, *, cold: bool = False) -> None:
        """Put the questions from ``first`` on where the processes see them; if ``cold``, then empty the caches."""
        pitch = self.questions.pitch
        self.region.bytes[first * pitch : (first + n) * pitch].copy_(self.questions.bytes(first, n))
        if cold and self._sweeper is not None:
            self._sweeper.add_(1)
        self._synchronize()

    def keep_changed(self, into: torch.Tensor, first: int, n: int) -> None:
        """Copy the inputs that calls change, as they are now, among the answers in ``into``."""
        pitch, out_pitch = self.questions.pitch, self.questions.out_pitch
        for one in self.questions.changed:
            there = self.region.bytes.as_strided((n, one.size), (pitch, 1), first * pitch + one.placed.offset)
            into.as_strided((n, one.size), (out_pitch, 1), first * out_pitch + one.at).copy_(there)
        if self.questions.changed:
            self._synchronize()

    def unchanged(self, first: int, n: int) -> bool:
        """True when the questions are still what the judge wrote."""
        pitch = self.questions.pitch
        seen = self.region.bytes[first * pitch : (first + n) * pitch]
        # Eight bytes at a time take an eighth of the time.
        return bool(torch.equal(seen.view(torch.int64), self.questions.bytes(first, n).view(torch.int64)))

    @property
    def sweeps(self) -> bool:
        """True when the size of the caches is known. Ask before a clock runs: it takes the memory that empties them."""
        return self._sweeper is not None

    @cached_property
    def _sweeper(self) -> torch.Tensor | None:
        caches = cache_bytes(self.device)
        return torch.zeros(2 * caches, dtype=torch.uint8, device=self.device) if caches else None

    def _synchronize(self) -> None:
        """Wait for the judge's own work on the device."""
        if self.device == "cuda":
            torch.cuda.synchronize()


class TimedWorker:
    """A process that is timed. With ``copies`` it copies its answers to memory of the judge's, on its own time."""

    def __init__(self, trial: Trial, slots: Slots, buffer: AnswerBuffer, copies: bool) -> None:
        self.trial, self.slots, self.buffer = trial, slots, buffer
        self.calls = 0
        self._call = 0.0
        """Seconds of a call in the last window that began with a stopped process."""
        self._threads = Threads(trial.process.pid)
        questions = slots.questions
        out = memory.create(questions.count * questions.out_pitch, slots.device) if copies else None
        self.readback: Readback
        if out is not None:
            self.readback = SharedReadback(out)
        else:
            self.readback = (
                CudaReadback() if slots.device == "cuda" else HostReadback(trial.process.pid, self._separate())
            )
        trial.process.resume()
        request = PrepareWindows(
            dict(slots.region.handle),
            dict(out.handle) if out is not None else None,
            questions.layout.tree,
            questions.outs,
            questions.pitch,
            questions.out_pitch,
            questions.count,
        )
        fds = [region.fd for region in (slots.region, out) if region is not None and region.fd is not None]
        trial.process.ask(request, 60.0, fds)
        trial.process.pause()

    def _separate(self) -> list[bool]:
        """For each output whether its answers must be in memory of the process's own."""
        trusted = self.trial.process.trusted
        return [not trusted and not alias for alias in aliases(self.slots.questions.draw.tree)]

    def window(self, first: int, n: int, state: State = State.STOPPED, *, again: bool = False) -> Window:
        """Time slots ``first`` to ``first + n`` together. With ``again`` nothing is computed: an overhead window.

        On a CPU the process is stopped until the clock runs, and again before the clock is read. Its answers are read
        afterwards, from memory that it can no longer change, and once: reading them leaves them in the caches for its
        next call. Nothing stops what runs on a GPU. So there the questions are written after the clock was started, and
        the answers are read before it is stopped; the overhead windows contain both, too. A process on a CPU that is
        running gets its questions in the same way, and is stopped before the clock is read.
        """
        cold = state is State.COLD
        if self.slots.device == "cuda":
            with on_one_core(self.trial.process.pid):
                return self._on_gpu(first, n, again, cold)
        if state is State.RUNNING and self._call < LONG_SECONDS:
            return self._running_on_cpu(first, n, again)
        window = self._on_cpu(first, n, again, cold)
        if not again:
            self._call = window.seconds / n
        return window

    def _on_gpu(self, first: int, n: int, again: bool, cold: bool) -> Window:
        process = self.trial.process
        process.resume()
        if calls := min(n, self.calls):
            # Stopping it for a moment ends its helpers.
            self._warm_up(calls)
            process.pause()
            process.resume()
        start = time.perf_counter()
        self.slots.write(first, n, cold=cold)
        # From here on it waits only for this thread, which shares its core, to read the answers.
        waited = process_tree.main_schedule(process.pid).waited
        reply = self._ask(first, n, again)
        waited = process_tree.main_schedule(process.pid).waited - waited
        self.readback.read(reply, self.buffer, first, n)
        self.slots.keep_changed(self.slots.spare if again else self.buffer.bytes, first, n)
        seconds = time.perf_counter() - start
        process.ask(protocol.Idle(), self.trial.request.limits.run_seconds, watch=1.0)
        process.pause()
        return Window(seconds, waited / 1e9)

    def _on_cpu(self, first: int, n: int, again: bool, cold: bool) -> Window:
        process = self.trial.process
        self.slots.write(first, n, cold=cold)
        time.sleep(QUIET_SECONDS)
        waited = process.waited()
        self._threads.spread()
        start = time.perf_counter()
        process.resume()
        self._threads.free_main()
        return self._until_stopped(first, n, again, start, waited)

    def _running_on_cpu(self, first: int, n: int, again: bool) -> Window:
        process = self.trial.process
        time.sleep(QUIET_SECONDS)
        self._threads.spread()
        process.resume()
        self._threads.free_main()
        self._warm_up(min(self.calls, math.ceil(WARM_SECONDS / self._call)))
        waited = process.waited()
        start = time.perf_counter()
        self.slots.write(first, n)
        return self._until_stopped(first, n, again, start, waited)

    def _until_stopped(self, first: int, n: int, again: bool, start: float, waited: float) -> Window:
        """Ask, stop the process, and only then take its answers; the clock began at ``start``."""
        process = self.trial.process
        reply = self._ask(first, n, again)
        process.pause()
        seconds = time.perf_counter() - start
        self._threads.free()
        waited = process.waited() - waited
        if not again:
            self.readback.read(reply, self.buffer, first, n)
            self.slots.keep_changed(self.buffer.bytes, first, n)
        return Window(seconds, waited)

    def _ask(self, first: int, n: int, again: bool) -> Answered:
        limit = self.trial.request.limits.run_seconds
        return self.trial.process.ask(protocol.Window(first, n, again), limit, watch=1.0)

    def release(self) -> None:
        """Have the process hold no answers, and no memory that it does not use."""
        self.readback.close()
        self.trial.process.resume()
        self.trial.process.ask(Release(), 60.0, watch=1.0)
        self.trial.process.pause()

    def _warm_up(self, calls: int) -> None:
        """Let the process run on old questions.

        Launching work on a GPU takes microseconds, and an idle core is slow at first. Where a process was stopped for
        long, its first thousand launches take up to twice as long as the next ones.
        """
        limit, warm = self.trial.request.limits.run_seconds, self.slots.warm
        request = WarmUp(self.slots.questions.count - warm, warm, -(-calls // warm))
        self.trial.process.ask(request, limit, watch=1.0)

    def close(self) -> None:
        """Let go of the process's memory."""
        self.readback.close()


def refused(error: ReadbackFailed) -> CandidateFailed:
    """The failure of a candidate whose answers could be read at first and no longer can."""
    return CandidateFailed(Status.REFUSED, f"the candidate's answers could not be taken while it was timed: {error}")


def cache_bytes(device: str) -> int:
    """Bytes of the largest cache, at most 256 MiB; 0 where the machine does not say."""
    if device == "cuda":
        found = int(getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0))
    else:
        sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
        found = max(
            (int(size.read_text(encoding="ascii").strip().removesuffix("K")) << 10 for size in sizes), default=0
        )
    return min(found, 256 << 20)
