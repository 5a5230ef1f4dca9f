"""A process and all its descendants: how one is started, which they are, what they use, stopping and ending them."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
"""Signals by which people and systems end processes; a program that fails gets others."""
_ENDED = "ZX"
"""States of a process that has ended and waits to be reaped."""


_BEGIN = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "import importlib, sys; importlib.import_module(sys.argv.pop(1)).main()"
)


def python_command(module: str, *arguments: str) -> list[str]:
    """A Python process that calls ``main`` of ``module``, and that an interrupt ends wherever it is.

    As an exception, an interrupt could be swallowed within an import: what is half imported fails all that comes after.
    So its default is restored before the first import.
    """
    return [sys.executable, "-P", "-c", _BEGIN, module, *arguments]


def children_of(parent: int) -> set[int]:
    """Process ids whose parent is ``parent``, as the kernel lists them now."""
    return {int(pid) for _, children in _of_threads(parent, "children") for pid in children.split()}


def descendants(root: int, most: int | None = None) -> set[int]:
    """All processes below ``root``, which is not among them; some of them, once they are more than ``most``."""
    found: set[int] = set()
    new = children_of(root)
    while new and (most is None or len(found) <= most):
        found |= new
        new = {child for pid in new for child in children_of(pid)} - found
    return found


def running(root: int) -> dict[int, str]:
    """What runs below ``root``: each process's command name. What has ended and waits to be reaped is left out."""
    found = {}
    for pid in descendants(root):
        with suppress(OSError):
            name, state, _ = _stat(pid)
            if state not in _ENDED:
                found[pid] = name
    return found


def runs_in_group(leader: int) -> bool:
    """Whether a process of a group still runs.

    Orphans that have ended may wait long to be reaped: in a container the first process is often no init.
    """
    try:
        os.killpg(leader, 0)
    except (ProcessLookupError, PermissionError):
        return False
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        with suppress(OSError):
            _, state, group = _stat(pid)
            if group == leader and state not in _ENDED:
                return True
    return False


def _stat(pid: int) -> tuple[str, str, int]:
    """Command name, state and process group (proc_pid_stat(5))."""
    # The name is in parentheses and may hold any character, parentheses too.
    before, _, after = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
    state, _, group, *_ = after.split()
    return before.partition("(")[2], state, int(group)


class Schedule(NamedTuple):
    """Nanoseconds that a thread has run, and that it was ready to run while others had the cores."""

    ran: int
    waited: int


def schedules(pid: int) -> dict[int, Schedule]:
    """What the kernel counts for each thread of a process."""
    return {thread: _schedule(said) for thread, said in _of_threads(pid, "schedstat")}


def main_schedule(pid: int) -> Schedule:
    """What the kernel counts for a process's main thread; nothing where the process is gone."""
    with suppress(OSError), open(f"/proc/{pid}/task/{pid}/schedstat", "rb", buffering=0) as file:
        return _schedule(file.readall())
    return Schedule(0, 0)


def _schedule(said: bytes) -> Schedule:
    ran, waited, _ = map(int, said.split())
    return Schedule(ran, waited)


def _of_threads(pid: int, name: str) -> Iterator[tuple[int, bytes]]:
    """What the kernel says about each thread in its file ``name``.

    A process that uses a GPU has dozens of threads and is looked into around every window of a timing: `Path.glob` and
    text files would take fifteen times as long.
    """
    folder = f"/proc/{pid}/task"
    threads: list[str] = []
    with suppress(OSError):
        threads = os.listdir(folder)
    for thread in threads:
        with suppress(OSError), open(f"{folder}/{thread}/{name}", "rb", buffering=0) as file:
            yield int(thread), file.readall()


def signal_name(number: int) -> str:
    """``SIGSEGV``; ``signal 40`` for one that has no name, such as the real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal each process that is still there."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def stop(root: int) -> set[int]:
    """Stop everything below ``root``, also what is being started meanwhile; the processes that were stopped."""
    stopped: set[int] = set()
    for _ in range(1000):
        new = descendants(root) - stopped
        if not new:
            break
        send(new, signal.SIGSTOP)
        stopped |= new
    return stopped


def end_below(root: int) -> None:
    """Kill everything below ``root``. Stopped first, none can fork or be missed while the others are looked for."""
    send(stop(root), signal.SIGKILL)


@dataclass(frozen=True)
class Use:
    """In bytes: ``memory``, of which ``held`` is in files without a name; ``deleted``, such files on disk."""

    memory: int
    held: int
    deleted: int


def use(pids: Iterable[int], shared: int, own: Iterable[tuple[int, int]]) -> Use:
    """What processes use.

    ``shared`` bytes of memory and the files ``own`` (device, inode) belong to the caller. Memory is summed over
    processes, which is too much where they share pages: `proportional` is slow and exact.
    """
    files = {key: found for key, found in _nameless(pids) if key not in set(own)}
    held = sum(size for in_memory, size in files.values() if in_memory)
    anonymous = mapped = 0
    for pid in pids:
        own_pages, shared_pages = _resident(pid)
        anonymous += own_pages
        mapped += max(0, shared_pages - shared)
    deleted = sum(size for in_memory, size in files.values() if not in_memory)
    return Use(anonymous + max(held, mapped), held, deleted)


def proportional(pids: Iterable[int], shared: int, held: int) -> int:
    """Bytes of memory, where a page that n processes share counts 1/n for each; ``held`` as `use` found it."""
    anonymous = mapped = 0
    for pid in pids:
        fields = _fields(f"/proc/{pid}/smaps_rollup")
        own_pages, shared_pages = (fields.get("Pss_Anon", 0), fields.get("Pss_Shmem", 0)) if fields else _resident(pid)
        anonymous += own_pages
        mapped += shared_pages
    # What is open and mapped by nobody is in no process's figures.
    return anonymous + max(held, mapped - shared)


def _resident(pid: int) -> tuple[int, int]:
    """Anonymous and shared-memory bytes that are resident."""
    fields = _fields(f"/proc/{pid}/status")
    return fields.get("RssAnon", 0), fields.get("RssShmem", 0)


def _fields(path: str) -> dict[str, int]:
    """Lines such as ``RssAnon:  12 kB``, in bytes."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    parts = [line.split() for line in lines]
    return {part[0][:-1]: int(part[1]) << 10 for part in parts if len(part) == 3 and part[2] == "kB"}


def _nameless(pids: Iterable[int]) -> Iterator[tuple[tuple[int, int], tuple[bool, int]]]:
    """Open files without a name: whether they are in memory, and the bytes that they take."""
    for pid in pids:
        with suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    about = os.stat(entry.path)
                    if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                        in_memory = os.readlink(entry.path).startswith(("/memfd:", "/dev/shm/"))
                        yield (about.st_dev, about.st_ino), (in_memory, about.st_blocks * 512)


def disk_use(folder: str, most_files: int) -> tuple[int, int]:
    """Bytes and number of the files below ``folder``; counting ends soon after ``most_files``.

    Folders that cannot be listed, or are nested too deeply to be named, count as more than ``most_files``.
    """
    size = count = 0
    folders = [folder]
    while folders and count <= most_files:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    count += 1
                    with suppress(FileNotFoundError):
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                    if count > most_files:
                        break
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            count = most_files + 1
    return size, count
