"""A disk of a few megabytes that is really full when it is full: a tmpfs in namespaces of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_HOLD = 'mount -t tmpfs -o size="$2",mode=777 none "$1" && echo ready && exec sleep 3600'


class SmallDisk:
    """``folder`` is the disk's root for processes that `start` starts; the others see it as ``seen``."""

    def __init__(self, folder: Path, holder: int) -> None:
        self.folder, self._holder = folder, holder
        self.seen = Path(f"/proc/{holder}/root{folder}")
        self._ballast = self.seen / "ballast"

    def start(self, *command: str, cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
        """A process that finds the disk at ``folder``."""
        enter = ("nsenter", f"--target={self._holder}", "--user", "--mount", "--preserve-credentials")
        return subprocess.Popen(
            [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(cwd), *command],
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[int, str, str]:
        """Exit code, output and errors of a process that finds the disk at ``folder``."""
        process = self.start(*command, cwd=cwd, env=env)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def fill(self, left: int = 0) -> None:
        """Leave ``left`` bytes free, to the page."""
        about = os.statvfs(self.seen)
        size = about.f_bavail * about.f_frsize - left
        with self._ballast.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), max(1, size))

    def free(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """A disk of ``size`` (as ``mount`` reads it) at ``folder``; skips the test where namespaces are not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _HOLD, "sh", str(folder), size]
    try:
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as missing:
        pytest.skip(f"no namespaces here: {missing}")
    assert holder.stdout is not None and holder.stderr is not None
    try:
        if holder.stdout.readline() != "ready\n":
            pytest.skip(f"no namespaces here: {holder.stderr.read().strip()}")
        yield SmallDisk(folder, holder.pid)
    finally:
        holder.kill()
        holder.communicate()
