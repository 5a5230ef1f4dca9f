"""The journal of a run: every finished effect, on disk before the next step begins.

A run is replayed from its start each time it is resumed; an effect (a model call, a verdict) that the journal holds is
read back instead of being repeated. One JSON object a line, flushed to the disk; a torn last line is what a killed
process leaves and is dropped.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from akgflow.durable import LineFile
from akgflow.errors import AkgflowError, MachineExhausted
from akgflow.serial import from_data, to_data

T = TypeVar("T")


class JournalError(AkgflowError):
    """A journal that this version cannot read."""


class Journal:
    """Finished effects by key. One process at a time may write; the run folder's lock sees to that.

    Whoever only reads must not ``mend``: a torn last line may be one that is being written.
    """

    def __init__(self, path: Path, *, mend: bool = True) -> None:
        self._path = path
        self._effects: dict[str, Any] = {}
        self._steps: dict[str, str] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._seconds_before = 0.0
        self._start = time.monotonic()
        self._halted: MachineExhausted | None = None
        self._lines = LineFile(path, self._load(mend))
        if mend:
            self._take(self._lines.take_in())

    @property
    def minutes_before(self) -> float:
        """Wall minutes that earlier sittings of this run took, up to their last finished effect."""
        return self._seconds_before / 60.0

    def __contains__(self, key: str) -> bool:
        return key in self._effects

    def __len__(self) -> int:
        return len(self._effects)

    def items(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Effects whose key starts with ``prefix``, in the order in which they finished."""
        return ((key, data) for key, data in self._effects.items() if key.startswith(prefix))

    def read(self, key: str, kind: type[T]) -> T:
        """A finished effect."""
        return from_data(self._effects[key], kind)

    def step(self, key: str) -> str:
        """The step for whose sake a finished effect was had; empty where none was named."""
        return self._steps.get(key, "")

    async def once(self, key: str, kind: type[T], effect: Callable[[], Awaitable[T]], *, step: str = "") -> T:
        """The result of ``effect``, which runs only if no earlier sitting finished it.

        Raises `MachineExhausted` in place of an effect that would begin after `halt`.
        """
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._effects:
                if self._halted is not None:
                    raise self._halted
                self.write(key, await effect(), step=step)
        return self.read(key, kind)

    def halt(self, why: MachineExhausted) -> None:
        """Let no further effect begin; those under way finish, for they are paid for."""
        self._halted = self._halted or why

    def write(self, key: str, value: Any, *, step: str = "") -> None:
        """Put a finished effect on the disk. Where that fails it is kept in memory, and `MachineExhausted` raised."""
        data = to_data(value)
        line = {"key": key, "seconds": self._seconds_before + time.monotonic() - self._start, "data": data}
        if step:
            line["step"] = self._steps[key] = step
        text = json.dumps(line, ensure_ascii=False, allow_nan=False)
        self._effects[key] = data
        try:
            self._lines.append(text)
        except MachineExhausted as short:
            self.halt(short)
            raise

    def close(self, notify: Callable[[str], None] = lambda text: None) -> None:  # noqa: ARG005
        """Let go of the file once everything is on a disk; ``notify`` hears what there is to wait for."""
        self._lines.close(notify)

    def _load(self, mend: bool) -> int:
        """Read what is there; the bytes of its whole lines."""
        if not self._path.exists():
            return 0
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if mend and len(whole) < len(raw):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        self._take(whole)
        return len(whole)

    def _take(self, whole: bytes) -> None:
        # Not by `str.splitlines`: a reply may hold separators that JSON does not escape.
        for number, line in enumerate(whole.decode("utf-8").split("\n")[:-1], 1):
            try:
                entry = json.loads(line)
                self._effects[entry["key"]] = entry["data"]
                self._steps[entry["key"]] = entry.get("step", "")
                self._seconds_before = entry["seconds"]
            except (ValueError, KeyError, TypeError) as error:
                raise JournalError(
                    f"{self._path}:{number}: not a journal entry ({error}): start afresh with --fresh"
                ) from None
