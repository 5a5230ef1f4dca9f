"""Monitors what a candidate takes while it runs: memory, processes and files of all that it started."""

from __future__ import annotations

import math
import signal
import time
from contextlib import suppress
from pathlib import Path

import torch

from akgflow.terms import Status
from akgflow.verdict import Limits
from akgflow.verification.sandbox import process_tree
from akgflow.verification.shared import memory

MAX_PROCESSES = 128
DISK_SHARE = 20
"""Counting files takes at most one part in so many of the time."""


def resident(pid: int, device: str) -> int:
    """Bytes of memory of a process's own; on a GPU all that is taken of the device. 0 where that is not known."""
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        return int(total - free)
    with suppress(OSError, IndexError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("RssAnon:")[1].split()[0]) << 10
    return 0


class ResourceMonitor:
    """Measures one candidate from outside: the kernel's own limits count each process by itself, or not at all."""

    def __init__(self, guard: int, scratch: str, limits: Limits) -> None:
        self.guard, self.scratch, self.limits = guard, scratch, limits
        self._next_count = self._between = 0.0
        self._disk = self._files = 0
        self._wrote = -math.inf
        self.most_memory = 0
        self._helpers = False

    def look(self) -> tuple[Status, str] | None:
        """What it broke, as a status and a sentence; None as long as it keeps within its bounds."""
        pids = process_tree.descendants(self.guard, MAX_PROCESSES)
        self._helpers = len(pids) > 1
        # First of all: the more there are, the longer everything else takes.
        if len(pids) > MAX_PROCESSES:
            return Status.RUNTIME_ERROR, f"the candidate started more than {MAX_PROCESSES} processes"
        shared, own = memory.held()
        use = process_tree.use(pids, shared, own)
        self.most_memory = max(self.most_memory, use.memory)
        most = self.limits.memory_bytes
        if use.memory > most and self._proportional(shared, use.held) > most:
            words = f"the candidate took {use.memory >> 20} MiB of memory; the limit is {most >> 20} MiB"
            return Status.OUT_OF_MEMORY, words
        return self._disk_broken(use.deleted)

    @property
    def builds(self) -> bool:
        """Whether it seems to be building: it has started processes, or has made files a short while ago."""
        # Kernels that are compiled within the candidate's own process leave a file each.
        return self._helpers or time.monotonic() - self._wrote < self.limits.hang_seconds / 2 + 2 * self._between

    def _proportional(self, shared: int, held: int) -> int:
        """Bytes of memory, each shared page once. Stops all processes: one that forks holds locks that this needs."""
        stopped = process_tree.stop(self.guard)
        try:
            return process_tree.proportional(stopped, shared, held)
        finally:
            process_tree.send(stopped, signal.SIGCONT)

    def _disk_broken(self, deleted: int) -> tuple[Status, str] | None:
        files = 0
        if time.monotonic() >= self._next_count:
            started = time.monotonic()
            self._disk, files = process_tree.disk_use(self.scratch, self.limits.files)
            if files > self._files:
                self._files, self._wrote = files, started
            self._between = DISK_SHARE * (time.monotonic() - started)
            self._next_count = time.monotonic() + self._between
        if files > self.limits.files:
            words = f"the candidate made more than {self.limits.files} files, or folders that nobody can list"
            return Status.RUNTIME_ERROR, words
        size = self._disk + deleted
        if size > self.limits.disk_bytes:
            words = f"the candidate wrote {size >> 20} MiB to disk; the limit is {self.limits.disk_bytes >> 20} MiB"
            return Status.RUNTIME_ERROR, words
        return None
