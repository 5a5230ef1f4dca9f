"""Starting a candidate's process inside all its bounds, and ending it with everything that it started.

The caller forks a *guard*, which enters new namespaces, fills them, forks the candidate's process and waits for
it. The guard is the first process of the process namespace (or, without one, adopts orphans): when it ends, all that
the candidate started ends, whatever sessions and groups it made. It ends when the candidate's process does, when it is
killed, and when its caller is gone. Through one pipe the new process reports, before any foreign code is read, which
layers hold.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from akgflow.verification.sandbox import landlock, libc, limits, namespaces, process_tree, seccomp
from akgflow.verification.sandbox.namespaces import BUILDS, LayerUnavailable
from akgflow.verification.sandbox.rootfs import View, devices, view

LAYERS = {
    "privileges": "no capabilities, and no program that gives some back",
    "limits": "bounds on address space, file size, descriptors and processes",
    "seccomp": "no sockets, no tracing, no mounts, no kernel machinery beyond what a kernel needs",
    "landlock": "reads, writes, signals and TCP only where they are allowed",
    "network": "no network device",
    "ipc": "its own shared memory and host name",
    "files": "a root folder with compilers, libraries and its scratch folder, and nothing else",
    "processes": "sees and signals only what it started",
}
_NAMESPACES = ("user", "network", "ipc", "files", "processes")


@dataclass(frozen=True)
class Bounds:
    """What one candidate gets."""

    scratch: str
    """Its folder."""
    memory_bytes: int
    """Bounds its address space unless it runs ``on_gpu``."""
    threads: int
    on_gpu: bool = False
    builds: str | None = None
    """A folder below ``scratch`` with its own earlier builds."""
    reads: tuple[str, ...] = ()
    """Further folders that it may read."""


@dataclass
class Launched:
    """A process that was started; ids are those of the caller's process namespace."""

    guard: int
    """The guard's process id."""
    pid: int
    """The process's own id."""
    layers: tuple[str, ...]
    """The layers that hold."""
    status: int
    """The reading end of the pipe through which the guard says how the process ended."""

    def ended(self, seconds: float) -> int | None:
        """The status as ``os.waitpid`` gives it, once the process has ended; None when it has not in ``seconds``."""
        if not select.select([self.status], [], [], max(0.0, seconds))[0]:
            return None
        data = os.read(self.status, 16)
        # A guard that was ended says nothing, and all that it guarded is killed.
        return int(data) if data else signal.SIGKILL

    def end(self) -> None:
        """Kill all that is left, and reap the guard."""
        if "processes" not in self.layers:
            process_tree.end_below(self.guard)
        process_tree.send([self.guard], signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.guard, 0)
        os.close(self.status)


class Launcher:
    """Starts processes, and remembers which layers this machine refuses, with the reason."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self._views: dict[tuple[str, ...], View] = {}

    def launch(self, bounds: Bounds, keep: Iterable[int], then: Callable[[], None]) -> Launched:
        """A new process that calls ``then`` inside all layers that this machine has.

        Of the caller's descriptors only ``keep`` and the standard three stay open. Raises `RuntimeError` when not
        even a process without namespaces can be started, and `OSError` where the machine is short of something.
        """
        refused: set[str] = set()
        for _ in range(2 * len(_NAMESPACES) + 1):
            found = self._attempt(bounds, tuple(keep), then)
            if isinstance(found, Launched):
                return found
            # A folder may just have gone, which is no reason to do without the layer from now on.
            self._views.clear()
            if found.layer in refused:
                self.missing[found.layer] = found.reason
            refused.add(found.layer)
        raise RuntimeError(f"no candidate process can be started: {self.missing}")

    def _attempt(self, bounds: Bounds, keep: tuple[int, ...], then: Callable[[], None]) -> Launched | LayerUnavailable:
        seen = self._views.get(bounds.reads) or self._views.setdefault(bounds.reads, view(*bounds.reads))
        if bounds.on_gpu:
            # The driver makes its nodes when the first program asks for a GPU.
            seen = View(seen.folders, seen.links, devices())
        (report, report_end), (status, status_end) = _pipes()
        wanted = {*_NAMESPACES} - {*self.missing}
        whose = os.geteuid(), os.getegid(), os.getpid()
        try:
            guard = namespaces.fork(wanted)
        except (LayerUnavailable, OSError) as error:
            for fd in (report, report_end, status, status_end):
                os.close(fd)
            if isinstance(error, OSError):
                raise
            return error
        if guard == 0:
            _Guard(bounds, seen, wanted, report_end, status_end, then).run(keep, *whose)
        os.close(report_end)
        os.close(status_end)
        with os.fdopen(report, "rb") as words:
            line = words.readline()
        said: dict[str, Any] = json.loads(line) if line else {}
        if "layers" in said:
            self.missing |= said["missing"]
            (pid,) = process_tree.children_of(guard) or {guard}
            return Launched(guard, pid, tuple(said["layers"]), status)
        os.close(status)
        process_tree.send([guard], signal.SIGKILL)
        os.waitpid(guard, 0)
        return LayerUnavailable(said.get("layer", "start"), said.get("reason", "the process ended before it was ready"))


class _Guard:
    """The trusted side of the forks; no method returns to the caller's code."""

    def __init__(
        self, bounds: Bounds, seen: View, wanted: set[str], report: int, status: int, then: Callable[[], None]
    ) -> None:
        self.bounds, self.seen, self.wanted = bounds, seen, wanted
        self.report, self.status, self.then = report, status, then

    def run(self, keep: tuple[int, ...], uid: int, gid: int, parent: int) -> NoReturn:
        """In the new process: enter the namespaces, fill them, fork the candidate's process and wait for it."""
        try:
            _close_all_but({0, 1, 2, self.report, self.status, *keep})
            self._die_with_parent(parent)
            os.setsid()
            try:
                namespaces.enter(self.wanted, uid, gid)
                bounds = self.bounds
                namespaces.mount_root(self.seen, bounds.scratch, bounds.builds, self.wanted, bounds.memory_bytes)
            except LayerUnavailable as missing:
                self._say(layer=missing.layer, reason=missing.reason)
                os._exit(0)
            self._guard(keep)
        finally:
            os._exit(0)

    def _die_with_parent(self, parent: int) -> None:
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
        # In a process namespace the parent's number is 0, and another's when it was gone before the line above.
        if os.getppid() not in (parent, 0):
            os._exit(0)

    def _guard(self, keep: tuple[int, ...]) -> NoReturn:
        libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
        libc.drop_capabilities()
        libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
        libc.prctl(libc.PR_SET_DUMPABLE, 0)
        child = os.fork()
        if child == 0:
            self._candidate()
        for fd in {0, 1, 2, self.report, *keep}:
            os.close(fd)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
            with suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
        self._wait(child)

    def _wait(self, child: int) -> NoReturn:
        """Reap whatever ends until it is the candidate; then all the others end."""
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == child:
                break
        os.write(self.status, str(status).encode())
        if "processes" not in self.wanted:
            deadline = time.monotonic() + 10.0
            while process_tree.children_of(os.getpid()) and time.monotonic() < deadline:
                process_tree.end_below(os.getpid())
                with suppress(ChildProcessError):
                    os.waitpid(-1, 0)
        os._exit(0)

    def _candidate(self) -> NoReturn:
        try:
            os.close(self.status)
            os.setsid()
            libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
            # What it may know of itself through /proc belongs to root otherwise.
            libc.prctl(libc.PR_SET_DUMPABLE, 1)
            layers, missing = self._confine()
            self._say(layers=layers, missing=missing)
            os.close(self.report)
            self.then()
        finally:
            os._exit(0)

    def _confine(self) -> tuple[list[str], dict[str, str]]:
        """The layers that a process puts on itself; the names of all that hold, and why others do not."""
        bounds, missing = self.bounds, dict[str, str]()
        _set_environment(bounds, "files" in self.wanted)
        own_users = "user" in self.wanted
        limits.bound(None if bounds.on_gpu else bounds.memory_bytes, own_user_namespace=own_users)
        held = ["privileges", "limits"]
        try:
            version = landlock.restrict(self._grants())
            held.append("landlock")
            if version < 6:
                missing["landlock signals"] = f"landlock {version} of this kernel bounds no signals; version 6 does"
        except OSError as error:
            missing["landlock"] = str(error)
        peers = "processes" not in self.wanted
        try:
            seccomp.install(unix_sockets=bounds.on_gpu, peers_visible=peers)
            held.append("seccomp")
        except OSError as error:
            missing["seccomp"] = str(error)
        held += [name for name in _NAMESPACES if name in self.wanted and name in LAYERS]
        return [name for name in LAYERS if name in held], missing

    def _grants(self) -> landlock.Grants:
        writable: tuple[str, ...] = (self.bounds.scratch,)
        if "files" in self.wanted:
            # All that can be seen may be read; it is mounted read-only.
            readable: tuple[str, ...] = ("/",)
            writable += ("/tmp", "/dev/shm")
        else:
            linked = tuple(link for link, _ in self.seen.links)
            readable = (*self.seen.folders, *linked, "/sys", "/proc")
        # CUDA names its threads there.
        own = "/proc" if {"processes", "files"} <= self.wanted else os.path.realpath("/proc/self")
        return landlock.Grants(readable, (*writable, own) if self.bounds.on_gpu else writable, self.seen.devices)

    def _say(self, **words: Any) -> None:
        os.write(self.report, json.dumps(words).encode() + b"\n")


def _set_environment(bounds: Bounds, own_root: bool) -> None:
    os.chdir(bounds.scratch)
    builds = BUILDS if own_root and bounds.builds else bounds.builds or f"{bounds.scratch}/builds"
    os.environ.update(
        HOME=bounds.scratch,
        TMPDIR=bounds.scratch,
        AKGFLOW_CACHE=builds,
        OMP_NUM_THREADS=str(bounds.threads),
        MKL_NUM_THREADS=str(bounds.threads),
    )


def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """Both or none."""
    first = os.pipe()
    try:
        return first, os.pipe()
    except OSError:
        for fd in first:
            os.close(fd)
        raise


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with suppress(OSError):
                os.close(int(name))
