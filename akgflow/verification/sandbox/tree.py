"""A process and all its descendants: which they are, what they use, stopping and ending them."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def children_of(parent: int) -> set[int]:
    """Process ids whose parent is ``parent``, as the kernel lists them now."""
    found: set[int] = set()
    for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(OSError):
            found.update(int(pid) for pid in tasks.read_text(encoding="ascii").split())
    return found


def descendants(root: int) -> set[int]:
    """All processes below ``root``, which is not among them."""
    found: set[int] = set()
    new = children_of(root)
    while new:
        found |= new
        new = {child for pid in new for child in children_of(pid)} - found
    return found


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
    """``memory`` in bytes; ``deleted`` are bytes on disk of open files that have no name any more."""

    processes: int
    memory: int
    deleted: int


def use(root: int, shared: int, own: Iterable[tuple[int, int]]) -> Use:
    """What all processes below ``root`` use.

    ``shared`` bytes of memory and the files ``own`` (device, inode) belong to whoever looks. Memory is counted for
    each process by itself, which is too much where they share pages: `proportional` is slow and right.
    """
    pids = descendants(root)
    files = {key: found for key, found in _nameless(pids) if key not in set(own)}
    held = sum(size for in_memory, size in files.values() if in_memory)
    anonymous = mapped = 0
    for pid in pids:
        own_pages, shared_pages = _resident(pid)
        anonymous += own_pages
        mapped += max(0, shared_pages - shared)
    deleted = sum(size for in_memory, size in files.values() if not in_memory)
    return Use(len(pids), anonymous + max(held, mapped), deleted)


def proportional(root: int, shared: int) -> int:
    """Bytes of memory below ``root``, where a page that n processes share counts 1/n for each."""
    total = 0
    for pid in descendants(root):
        fields = _fields(f"/proc/{pid}/smaps_rollup")
        if not fields:
            anonymous, mapped = _resident(pid)
            total += anonymous + mapped
        total += fields.get("Pss_Anon", 0) + fields.get("Pss_Shmem", 0)
    return max(0, total - shared)


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
    """Open files without a name: whether they lie in memory, and the bytes that they take."""
    for pid in pids:
        with suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    about = os.stat(entry.path)
                    if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                        in_memory = os.readlink(entry.path).startswith(("/memfd:", "/dev/shm/"))
                        yield (about.st_dev, about.st_ino), (in_memory, about.st_blocks * 512)


def disk_use(folder: str, most_files: int) -> tuple[int, int]:
    """Bytes and number of the files below ``folder``; counting ends soon after ``most_files``."""
    size = count = 0
    folders = [folder]
    while folders and count <= most_files:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                count += 1
                with suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                if count > most_files:
                    break
    return size, count
