"""Measures what the machine is short of while a candidate runs, without relying on the candidate.

A candidate whose compiler finds the disk full fails like one that is wrong. Whose fault that is, the judge decides by
what it sees itself: room and a trial write on the disk, memory, descriptors and processes of the machine. What the
candidate says counts only beside that: where there is little left, its words tell whether that was the trouble. A
candidate that fills its own bounds (its /tmp, its descriptors, its memory) leaves all of that as it was.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from akgflow.errors import MachineExhausted, machine_error

NO_BYTES, NO_INODES = 1 << 20, 16
"""A disk with less free is full."""
FEW_BYTES, FEW_MEMORY, FEW_DESCRIPTORS, FEW_PROCESSES = 32 << 20, 256 << 20, 256, 64
"""With less, a candidate that says that there was none may be right. A compiler takes some megabytes at a time."""
_TRIAL = bytes(64 << 10)
_TRIALS = 16

_NO_DISK = re.compile(r"no space left|quota exceeded|read-only file system|input/output error|bus error|SIGBUS", re.I)
_NO_MEMORY = re.compile(
    r"out of memory|n[o']t allocate memory|not enough memory|MemoryError|bad_alloc|want of memory|killed signal", re.I
)
_NO_DESCRIPTOR = re.compile(r"too many open files", re.I)
_NO_PROCESS = re.compile(r"resource temporarily unavailable|can't start new thread|fork: retry|cannot fork", re.I)


class Pressure:
    """Measures the machine while one candidate is judged; one for each judge process."""

    def __init__(self, folder: Path = Path()) -> None:
        self.begin(folder)

    def begin(self, folder: Path) -> None:
        """A judgement begins whose candidates write below ``folder``."""
        # The folder itself may be made later.
        self._folder = folder = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        self._memory_before = self._memory = memory_left()
        self._room = _room(folder)
        self._taken = 0

    def look(self, taken: int) -> None:
        """Remember the worst; ``taken`` are bytes of memory that the candidate has. Takes microseconds."""
        self._taken = max(self._taken, taken)
        self._memory = min(self._memory, memory_left())
        self._room = min(self._room, _room(self._folder))

    def memory_ran_out(self) -> None:
        """Note that the kernel has just killed a process for want of memory, which `look` may be too late to see."""
        self._memory = 0

    def explain(self, words: str) -> MachineExhausted | None:
        """The shortage that explains a failure of the candidate that says ``words``; None where it is its own."""
        self.look(0)
        reason = self._nothing_left() or self._little_left(words)
        return MachineExhausted(reason) if reason else None

    def _nothing_left(self) -> str:
        """The resource that is used up, whatever the candidate says."""
        if self._room < NO_BYTES:
            return f"the disk of {self._folder} was full while a candidate ran: make room"
        try:
            _try_to_write(self._folder)
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            thread = threading.Thread(target=lambda: None)
            thread.start()
            thread.join()
        except (OSError, RuntimeError) as error:
            short = machine_error(error)
            return short.reason if short else ""
        return ""

    def _little_left(self, words: str) -> str:
        """The resource that the candidate says was missing, where the judge sees that little is left."""
        if _NO_DISK.search(words) and self._room < FEW_BYTES:
            return f"{self._room >> 20} MiB are free on the disk of {self._folder}: make room"
        if _NO_MEMORY.search(words) and self._memory < FEW_MEMORY and self._taken < self._memory_before // 2:
            return (
                "memory ran out beside a candidate that had taken little of it: end what takes it, or run less at once"
            )
        if _NO_DESCRIPTOR.search(words) and descriptors_left() < FEW_DESCRIPTORS:
            return "too few file descriptors are left for a compiler: raise the limit (ulimit -n, fs.file-max)"
        if _NO_PROCESS.search(words) and processes_left() < FEW_PROCESSES:
            return "too few processes are left for a compiler: end some, or raise the limit (ulimit -u, pids.max)"
        return ""


def short_of(folder: Path) -> str:
    """What is used up for a process that writes to ``folder``; empty where it has what it needs."""
    short = Pressure(folder).explain("")
    return short.reason if short else ""


def _room(folder: Path) -> int:
    """Bytes that are free for anybody; 0 where no further file can be made. Unknown is plenty."""
    try:
        about = os.statvfs(folder)
    except OSError:
        return 1 << 62
    # Some file systems have no fixed number of files, and say 0.
    if about.f_files and about.f_favail < NO_INODES:
        return 0
    return about.f_bavail * about.f_frsize


def _try_to_write(folder: Path) -> None:
    """Write a megabyte to a file without a name: only this shows quotas, failing and read-only disks."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_TRIALS):
            file.write(_TRIAL)
        os.fsync(file.fileno())


def memory_left() -> int:
    """Bytes that this machine, or the control group of this process, has for more."""
    left = psutil.virtual_memory().available
    for most, used, stat in _GROUP_MEMORY:
        with suppress(OSError, ValueError):
            # What was read from files is given up when memory is wanted.
            files = re.findall(r"^(?:total_)?(?:in)?active_file (\d+)$", stat.read_text("ascii"), re.M)
            left = min(left, int(most.read_text("ascii")) - int(used.read_text("ascii")) + sum(map(int, files)))
    return max(0, left)


def memory_total() -> int:
    """Bytes that this machine has, or that the control group of this process may have where those are fewer."""
    total = psutil.virtual_memory().total
    for most, _, _ in _GROUP_MEMORY:
        with suppress(OSError, ValueError):
            total = min(total, int(most.read_text("ascii")))
    return total


def descriptors_left() -> int:
    """Of one process, or of the whole system where that has fewer."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    one = most if most != resource.RLIM_INFINITY else 1 << 30
    with suppress(OSError, ValueError):
        used, _, system = map(int, Path("/proc/sys/fs/file-nr").read_text("ascii").split())
        return min(one, system - used)
    return one


def processes_left() -> int:
    """That the user's limit allows at all, or that the control group has left where those are fewer."""
    most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    left = most if most != resource.RLIM_INFINITY and os.geteuid() else 1 << 30
    for limit, current in _GROUP_TASKS:
        with suppress(OSError, ValueError):
            left = min(left, int(limit.read_text("ascii")) - int(current.read_text("ascii")))
    return left


def _groups(controller: str) -> list[Path]:
    """Folders of the control groups of this process that bound ``controller``, in the old and in the unified tree."""
    found = []
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
            _, names, path = line.split(":", 2)
            if not names or controller in names.split(","):
                root = Path("/sys/fs/cgroup", controller if names else "")
                # In a container the path is that of the machine, and the group itself is at the root.
                found += [root / path.lstrip("/"), root]
    return found


_GROUP_MEMORY = [
    (folder / most, folder / used, folder / "memory.stat")
    for folder in _groups("memory")
    for most, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
    if (folder / most).exists()
]
_GROUP_TASKS = [
    (folder / "pids.max", folder / "pids.current") for folder in _groups("pids") if (folder / "pids.max").exists()
]


def killed_for_memory() -> int:
    """How many processes the kernel has killed so far because memory ran out."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
