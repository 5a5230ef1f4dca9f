"""Namespaces (namespaces(7)): no network, no other process and few files for the candidate.

`fork` and `enter` make them, `mount_root` fills the new root folder. All run in trusted code, before the candidate's
process exists, and raise `LayerUnavailable` with the name of the layer that the kernel refuses.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Set
from contextlib import suppress

from akgflow.verification.sandbox import libc
from akgflow.verification.sandbox.limits import MAX_TASKS, RESERVED_PIDS
from akgflow.verification.sandbox.rootfs import View

# Numbers from the uapi headers linux/sched.h (CLONE_NEW…), linux/mount.h (MS_…) and asm/unistd.h.
_USER, _NET, _IPC, _MOUNT, _UTS, _PID = 0x10000000, 0x40000000, 0x08000000, 0x00020000, 0x04000000, 0x20000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_MOUNT_SETATTR, _AT_RECURSIVE = 442, 0x8000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PROC_WRITABLE = ("acpi", "asound", "bus", "driver", "fs", "irq", "scsi", "sys", "sysrq-trigger", "tty")

_PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""What the kernel is short of now: no reason to go without the layer from now on."""

BUILDS = "/tmp/akgflow-builds"
"""Where a candidate finds its own earlier builds: the same path each time, since build tools note paths."""


class LayerUnavailable(Exception):
    """The kernel refused a layer; ``layer`` is its name."""

    def __init__(self, layer: str, reason: str) -> None:
        self.layer, self.reason = layer, reason
        super().__init__(f"{layer}: {reason}")


def fork(wanted: Set[str]) -> int:
    """Fork into new user and process namespaces, as far as they are ``wanted``; 0 in the child.

    Raises `LayerUnavailable`.
    """
    flags = (_USER if "user" in wanted else 0) | (_PID if "processes" in wanted else 0)
    try:
        return libc.clone(flags)
    except OSError as error:
        if error.errno in _PASSING:
            raise
        if flags == _USER | _PID and _can_fork(_USER):
            raise LayerUnavailable("processes", str(error)) from error
        raise LayerUnavailable("user" if flags & _USER else "processes", str(error)) from error


def _can_fork(flags: int) -> bool:
    try:
        child = libc.clone(flags)
    except OSError:
        return False
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def enter(wanted: Set[str], uid: int, gid: int) -> None:
    """In the child: keep the numbers of user and group, and leave the other namespaces that are ``wanted``."""
    if "user" in wanted:
        with _layer("user"):
            # What is not dumpable may not write these files.
            libc.prctl(libc.PR_SET_DUMPABLE, 1)
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{uid} {uid} 1")
            _write("/proc/self/gid_map", f"{gid} {gid} 1")
    # A process namespace is worth little without its own mounts: /proc would still show the old one.
    for layer, flags in (("network", _NET), ("ipc", _IPC | _UTS), ("files", _MOUNT), ("processes", _MOUNT)):
        if layer in wanted:
            with _layer(layer):
                libc.unshare(flags)


def mount_root(view: View, scratch: str, builds: str | None, wanted: Set[str], memory_bytes: int) -> None:
    """In the first process of the new namespaces: mount a root folder with what ``view`` names, and a new /proc.

    All of it is read-only but ``scratch``, /tmp and /dev/shm; the last two are new, empty, and bounded by
    ``memory_bytes``. ``builds`` appears as `BUILDS`.
    """
    if "files" not in wanted and "processes" not in wanted:
        return
    with _layer("files"):
        libc.mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    if "processes" in wanted and "files" not in wanted:
        with _layer("processes"):
            _fresh_proc("/proc")
    elif "files" in wanted:
        _new_root(view, scratch, builds, "processes" in wanted, memory_bytes)


def _new_root(view: View, scratch: str, builds: str | None, own_processes: bool, memory_bytes: int) -> None:
    old = "/.old"
    with _layer("files"):
        libc.mount("tmpfs", scratch, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=4m,mode=755")
        os.mkdir(scratch + old)
        os.mkdir(f"{scratch}/proc")
    if own_processes:
        with _layer("processes"):
            # The kernel allows a new /proc only while the old one can be seen.
            _fresh_proc(f"{scratch}/proc")
    with _layer("files"):
        if not own_processes:
            libc.mount("/proc", f"{scratch}/proc", None, _MS_BIND | _MS_REC)
        _pivot(scratch, scratch + old)
        for folder, size in (("/tmp", memory_bytes // 8), ("/dev/shm", memory_bytes // 4)):
            os.makedirs(folder)
            libc.mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={size},mode=1777")
        _devices(view.devices, old)
        for path in (*view.folders, "/sys"):
            _show(old + path, path)
        for link, target in view.links:
            os.makedirs(os.path.dirname(link), exist_ok=True)
            with suppress(FileExistsError):
                os.symlink(target, link)
        for source, target in ((scratch, scratch), (builds, BUILDS)):
            if source is not None:
                os.makedirs(target, exist_ok=True)
                _only_a_way(target)
                libc.mount(old + source, target, None, _MS_BIND)
                _attributes(target, _MS_NOSUID | _MS_NODEV)
        libc.umount(old, _MNT_DETACH)
        os.rmdir(old)
        _attributes("/", _MS_RDONLY)
        os.chdir(scratch)


def _only_a_way(target: str) -> None:
    """Make folders in /tmp that exist only as parents of ``target`` read-only."""
    folder = os.path.dirname(target)
    while folder.startswith("/tmp/"):
        with suppress(OSError):
            os.chmod(folder, 0o555)
        folder = os.path.dirname(folder)


def _pivot(new: str, old: str) -> None:
    machine = libc.machine()
    if machine is None:
        raise LayerUnavailable("files", "the numbers of system calls are known for x86-64 and aarch64 only")
    libc.syscall("pivot_root", _PIVOT_ROOT[machine], new.encode(), old.encode())
    os.chdir("/")


def _show(source: str, target: str) -> None:
    """Let a folder or file of the old root be seen in the new one, read-only."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o644))
    libc.mount(source, target, None, _MS_BIND | _MS_REC)
    _attributes(target, _MS_RDONLY | _MS_NOSUID | _MS_NODEV, recursive=True)


def _devices(nodes: Iterable[str], old: str) -> None:
    for node in nodes:
        os.makedirs(os.path.dirname(node), exist_ok=True)
        os.close(os.open(node, os.O_CREAT | os.O_EXCL, 0o644))
        libc.mount(old + node, node, None, _MS_BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"/dev/{name}")


def _fresh_proc(target: str) -> None:
    """A /proc that shows only the new process namespace, where what belongs to the machine is read-only."""
    libc.mount("proc", target, "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    # Since Linux 6.14 each process namespace has its own; for root it is the only bound on their number.
    with suppress(OSError):
        _write(f"{target}/sys/kernel/pid_max", str(RESERVED_PIDS + MAX_TASKS))
    for name in _PROC_WRITABLE:
        path = f"{target}/{name}"
        if os.path.exists(path):
            libc.mount(path, path, None, _MS_BIND | _MS_REC)
            _attributes(path, _MS_RDONLY, recursive=True)


def _attributes(path: str, flags: int, *, recursive: bool = False) -> None:
    """Add mount attributes; others stay. The numbers of these three are those of ``mount``."""
    attributes = flags.to_bytes(8, "little") + bytes(24)
    libc.syscall(
        f"mount_setattr {path}",
        _MOUNT_SETATTR,
        -100,
        path.encode(),
        _AT_RECURSIVE if recursive else 0,
        attributes,
        len(attributes),
    )


def _write(path: str, text: str) -> None:
    place = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(place, text.encode())
    finally:
        os.close(place)


class _layer:
    """What fails inside is the failure of that layer."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno not in _PASSING:
            raise LayerUnavailable(self.name, str(error)) from error
