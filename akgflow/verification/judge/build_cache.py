"""Keeps what candidates built, for the next judgement of the same module.

A candidate writes only to its own folder. Once its processes have ended and it was found right, the judge moves what it
built to a place that is named by all that went into the judgement, the module's whole text among it. So nothing that
one candidate built is ever loaded by another.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from akgflow import __version__
from akgflow.machine import Device, Machine, settings_of
from akgflow.toolchains.common.installed import NOT_INSTALLED, cxx, package_version, tool_version
from akgflow.toolchains.common.nvidia import nvcc
from akgflow.verdict import Environment
from akgflow.verification.sandbox import process_tree
from akgflow.verification.sandbox.untrusted_files import remove, tidy

MOST_BYTES = 2 << 30
MOST_OF_ONE_BYTES = 64 << 20
MOST_FILES = 2000


class BuildCache:
    """A folder of builds, by key. Several judges may use it at the same time."""

    def __init__(self, root: Path, most_bytes: int = MOST_BYTES) -> None:
        self.root, self.most_bytes = root, most_bytes

    def fetch(self, key: str, folder: Path) -> bool:
        """Copy what is kept under ``key`` to ``folder``, which is made; False when there is nothing."""
        folder.mkdir()
        kept = self.root / key
        try:
            os.utime(kept)
            # Times are kept: build tools go by them.
            shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
        except OSError:
            # There was nothing, or another judge has just evicted it; a partial copy must not be used.
            remove(folder)
            folder.mkdir(exist_ok=True)
            return False
        return True

    def keep(self, key: str, folder: Path) -> None:
        """Move ``folder`` to its place under ``key``; no candidate may have it open. What is too large is left."""
        if not folder.is_dir() or not any(folder.iterdir()):
            return
        size, files = process_tree.disk_use(str(folder), MOST_FILES)
        if size > MOST_OF_ONE_BYTES or files > MOST_FILES:
            return
        tidy(folder)
        with suppress(OSError):
            self.root.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix=".new-", dir=self.root))
            try:
                shutil.move(folder, beside / key)
                self._discard(self.root / key)
                os.rename(beside / key, self.root / key)
                os.utime(self.root / key)
            finally:
                remove(beside)
        self._evict()

    def _evict(self) -> None:
        """Remove those that were not used for the longest time, until the others fit."""
        kept = []
        with suppress(OSError):
            for entry in os.scandir(self.root):
                with suppress(OSError):
                    kept.append(
                        (entry.stat().st_mtime, process_tree.disk_use(entry.path, MOST_FILES)[0], Path(entry.path))
                    )
        total = 0
        for _, size, path in sorted(kept, reverse=True):
            total += size
            if total > self.most_bytes:
                self._discard(path)

    def _discard(self, path: Path) -> None:
        """Take a build out of its place at once, and remove it then: no other judge finds half of it."""
        with suppress(OSError):
            aside = Path(tempfile.mkdtemp(prefix=".old-", dir=self.root))
            with suppress(OSError):
                os.rename(path, aside / "build")
            remove(aside)


@cache
def libraries() -> Mapping[str, str]:
    """Versions of what judges and builds, as far as it is installed; read once in a process."""
    found = {name: package_version(name) for name in ("torch", "triton", "apache-tvm-ffi", "tilelang")}
    found |= {"c++": tool_version(cxx()), "nvcc": tool_version(nvcc(), "release")}
    own = {"akgflow": __version__, "python": platform.python_version()}
    return own | {name: one for name, one in found.items() if one != NOT_INSTALLED}


@cache
def environment(machine: Machine, device: Device | None) -> Environment:
    """With what this process judges on ``device``, or on the processor where that is None."""
    return Environment(machine.cpu if device is None else device.name, libraries(), settings=settings_of(device))
