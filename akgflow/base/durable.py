"""An append-only file whose lines are paid for: a full disk neither loses one nor leaves half of one in it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_path

from akgflow.errors import MachineExhausted, machine_error

RESERVE_BYTES = 1 << 20
"""Kept allocated beside the file, and given up for the lines that find no room: a dozen replies of 16,000 tokens."""
ATTEMPTS = 3
PATIENCE_SECONDS = 600.0
PAUSE_SECONDS = 0.5


class LineFile:
    """Lines on the disk, the first ``size`` bytes of ``path`` at the start. One process at a time may write."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        self._reserve = path.with_name(f".{path.name}.reserve")
        self._waiting: list[bytes] = []
        self._handle: int | None = None

    @property
    def waiting(self) -> int:
        """Lines that are in memory only."""
        return len(self._waiting)

    def append(self, line: bytes) -> None:
        """Put a line with its end on the disk. Raises `MachineExhausted` where it has to wait in memory."""
        self._waiting.append(line)
        self.save()

    def save(self) -> None:
        """Put on the disk what waits; raises `MachineExhausted` where it still has to."""
        failed: OSError | None = None
        for _ in range(ATTEMPTS if self._waiting else 0):
            try:
                self._write(b"".join(self._waiting))
                self._waiting = []
                self._keep_reserve()
                return
            except OSError as error:
                failed = error
                with suppress(OSError):
                    self._reserve.unlink()
        if failed is not None:
            raise self._short(failed) from failed

    def close(self, notify: Callable[[str], None] = lambda text: None) -> None:  # noqa: ARG005
        """Let go of the file. What waits is saved first, here or in the user's state folder, for as long as it takes.

        Raises `MachineExhausted` when neither had room for ten minutes.
        """
        try:
            self._settle(notify)
        finally:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
            with suppress(OSError):
                self._reserve.unlink()

    def _settle(self, notify: Callable[[str], None]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        told = False
        while self._waiting:
            try:
                self.save()
            except MachineExhausted as short:
                if self._set_aside():
                    notify(f"{short.reason}: finished steps were put into {self._aside}, and are taken in from there")
                    return
                if time.monotonic() > deadline:
                    raise
                if not told:
                    notify(f"{short.reason}: {self.waiting} finished steps wait in memory for room")
                told = True
                time.sleep(PAUSE_SECONDS)

    def _write(self, data: bytes) -> None:
        """Write behind what is whole; a reader never finds half a line of a failed attempt."""
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(self._handle, self._size)
            done = 0
            while done < len(data):
                done += os.pwrite(self._handle, data[done:], self._size + done)
            os.fsync(self._handle)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._handle, self._size)
            raise
        self._size += len(data)

    def _keep_reserve(self) -> None:
        if self._reserve.exists():
            return
        try:
            handle = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.posix_fallocate(handle, 0, RESERVE_BYTES)
            finally:
                os.close(handle)
        except OSError:
            with suppress(OSError):
                self._reserve.unlink()

    def _short(self, error: OSError) -> MachineExhausted:
        known = machine_error(error)
        return MachineExhausted(f"{self._path} cannot be written: {known.reason if known else error.strerror}")

    # What found no room beside the file waits in the user's state folder, which may be on another disk.

    @property
    def _aside(self) -> Path:
        name = hashlib.sha256(os.path.realpath(self._path).encode()).hexdigest()[:24]
        return user_state_path("akgflow", appauthor=False) / "unsaved" / f"{name}.jsonl"

    def _mark(self) -> str:
        """Names the file's present content: what was set aside for another one must not be taken in."""
        whole = self._path.read_bytes()[: self._size] if self._size else b""
        return json.dumps({"after": hashlib.sha256(whole).hexdigest()})

    def _set_aside(self) -> bool:
        try:
            self._aside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self._aside, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(self._mark().encode() + b"\n" + b"".join(self._waiting))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                self._aside.unlink()
            return False
        return True

    def take_in(self) -> bytes:
        """What an earlier process had to set aside, now on the disk where there is room; empty where nothing was."""
        try:
            mark, _, lines = self._aside.read_bytes().partition(b"\n")
        except OSError:
            return b""
        if mark.decode(errors="replace") == self._mark():
            self._waiting = [line + b"\n" for line in lines.split(b"\n")[:-1]]
            self.save()
            self._aside.unlink()
            return lines
        return b""
