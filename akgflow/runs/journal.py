"""The journal of a run: every finished effect, on disk before the next step begins.

A run is replayed from its start each time it is resumed; an effect (a model call, a verdict) that the journal holds is
read back instead of being repeated. `akgflow.runs.lines` has the form on disk. A torn last line is what a killed
process leaves, and is dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from akgflow.base.durable import LineFile
from akgflow.base.serial import from_data, to_data
from akgflow.errors import MachineExhausted
from akgflow.runs.damage import DamagedRun
from akgflow.runs.lines import Lines, read_lines, to_line
from akgflow.runs.records import why_unfit

T = TypeVar("T")


class Journal:
    """Finished effects by key. One process at a time may write; the run folder's lock sees to that.

    Readers must not ``mend``: a torn last line may be one that is being written. Raises `DamagedRun` for a
    line that is none of a journal's.
    """

    def __init__(self, path: Path, *, mend: bool = True) -> None:
        self._path = path
        self._effects: dict[str, Any] = {}
        self._steps: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._seconds_before = 0.0
        self._start = time.monotonic()
        self._halted: MachineExhausted | None = None
        self._lines = LineFile(path, self._load(mend) if path.exists() else 0)
        if mend:
            self._take(read_lines(self._lines.take_in(), why_unfit))

    @property
    def minutes_before(self) -> float:
        """Wall minutes that earlier sessions of this run took, up to their last finished effect."""
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

    def seconds(self, key: str) -> float:
        """The wall seconds that the run had taken when this effect was finished."""
        return self._seconds[key]

    async def once(self, key: str, kind: type[T], effect: Callable[[], Awaitable[T]], *, step: str = "") -> T:
        """The result of ``effect``, which runs only if no earlier session finished it.

        Raises `MachineExhausted` in place of an effect that would begin after `halt`.
        """
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._effects:
                if self._halted is not None:
                    raise self._halted
                self.write(key, await effect(), step=step)
        return self.read(key, kind)

    def halt(self, why: MachineExhausted) -> None:
        """Begin no further effect; those in progress finish, since they are paid for."""
        self._halted = self._halted or why

    def write(self, key: str, value: Any, *, step: str = "") -> None:
        """Put a finished effect on the disk. Where that fails it is kept in memory, and `MachineExhausted` raised."""
        data = to_data(value)
        seconds = self._seconds_before + time.monotonic() - self._start
        if step:
            self._steps[key] = step
        self._effects[key], self._seconds[key] = data, seconds
        try:
            self._lines.append(to_line(key, seconds, data, step))
        except MachineExhausted as short:
            self.halt(short)
            raise

    def close(self, notify: Callable[[str], None] = lambda text: None) -> None:  # noqa: ARG005
        """Close the file once everything is on a disk; ``notify`` receives a sentence about each wait."""
        self._lines.close(notify)

    def _load(self, mend: bool) -> int:
        """Read what is there; the bytes of its whole lines."""
        raw = self._path.read_bytes()
        found = read_lines(raw, why_unfit)
        if found.damaged:
            raise DamagedRun.of_journal(self._path, found)
        if mend and (found.unended or found.end < len(raw)):
            with self._path.open("r+b") as file:
                file.truncate(found.end)
                file.seek(found.end)
                file.write(b"\n" if found.unended else b"")
        self._take(found)
        return found.end + found.unended

    def _take(self, found: Lines) -> None:
        for line in found.lines:
            self._effects[line.key], self._seconds[line.key] = line.data, line.seconds
            self._steps[line.key] = line.step
            self._seconds_before = max(self._seconds_before, line.seconds)
