"""Reads a GPU's clocks, power and throttle reasons around windows, through the driver's own library (NVML).

A reading takes tens of microseconds, and none is taken within a window. Where the library or a figure is not there, as
on a part of a MIG device, there are no readings, and windows are believed as they are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from akgflow.clocks import Clocks, Reading, inconclusive, slowed, summary
from akgflow.verification.judge.timing.arms import Arm, Samples
from akgflow.verification.judge.timing.windows.questions import NotTimed

_SM, _MEMORY = 1, 2
"""``nvmlClockType_t`` of nvml.h."""
_OK = 0
MOST_DISCARDED = 24
"""Pairings; a device that stays slowed is not waited for."""


def nvml_reader(uuid: str) -> Callable[[], Reading | None]:
    """A function that reads the device with this UUID (``GPU-…``); it gives None where something cannot be read."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return lambda: None
    handle = ctypes.c_void_p()
    if library.nvmlInit_v2() != _OK:
        return lambda: None
    if library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)) != _OK:
        return lambda: None
    # Renamed in newer drivers, which keep the old name.
    reasons = library.nvmlDeviceGetCurrentClocksThrottleReasons

    def number(call: Any, kind: Any, *words: int) -> int | None:
        value = kind()
        return int(value.value) if call(handle, *words, ctypes.byref(value)) == _OK else None

    def read() -> Reading | None:
        clock = library.nvmlDeviceGetClockInfo
        sm, memory = (number(clock, ctypes.c_uint, which) for which in (_SM, _MEMORY))
        milliwatts = number(library.nvmlDeviceGetPowerUsage, ctypes.c_uint)
        bits = number(reasons, ctypes.c_ulonglong)
        if sm is None or memory is None or bits is None:
            return None
        return Reading(sm, memory, (milliwatts or 0) / 1000, bits)

    return read


def reader_for(kind: str) -> Callable[[], Reading | None]:
    """Of the device that this process times on; a processor's clocks are not read."""
    if kind != "cuda":
        return lambda: None
    import torch

    uuid = str(getattr(torch.cuda.get_device_properties(0), "uuid", ""))
    return nvml_reader(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")


class Watch:
    """The readings of one timing. A pairing is a window of each arm; a slowed one takes all that it measured along."""

    def __init__(self, read: Callable[[], Reading | None]) -> None:
        self._read = read
        self._kept: list[list[Reading]] = []
        self._now: list[Reading] = []
        self._marks: list[tuple[list[Any], int]] = []
        self.discarded, self._why = 0, ""

    def begin(self, arms: dict[str, Arm], overhead: Samples) -> None:
        """A pairing begins: remember how much was measured before."""
        samples = [overhead, *(one for arm in arms.values() for one in arm.samples)]
        lists: list[list[Any]] = [one.windows for one in samples]
        lists += [part for one in samples for part in one.singly.values()]
        self._marks, self._now = [(part, len(part)) for part in lists], []
        self.look()

    def look(self) -> None:
        """Read the device between two windows."""
        found = self._read()
        self._now += [found] if found is not None else []

    def keeps(self) -> bool:
        """Whether the pairing that ends can be believed; one that cannot is forgotten, with all that it measured."""
        why = slowed(self._now)
        if not why:
            self._kept.append(self._now)
            return True
        self.discarded, self._why = self.discarded + 1, why
        for part, length in self._marks:
            del part[length:]
        if self.discarded > MOST_DISCARDED:
            raise NotTimed(f"inconclusive: the device was slowed again and again ({why})")
        return False

    def require_conclusive(self) -> None:
        """Raise `NotTimed` where too little is left, or what is left saw different clocks."""
        why = inconclusive([one for one in self._kept if one], self.discarded, self._why)
        if why:
            raise NotTimed(why)

    def found(self) -> Clocks | None:
        """What the windows that are used have seen; None where nothing was read."""
        readings = [one for pairing in self._kept for one in pairing]
        return summary(readings, self.discarded) if readings else None
