"""What this machine has, as plain data: planning and toolchains read it, `detect` fills it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from akgflow.config.types import Target


@dataclass(frozen=True)
class Device:
    """One local accelerator. ``arch`` as the vendor's compiler names it without suffix (``sm_90``, ``gfx942``)."""

    platform: str
    arch: str
    name: str
    index: int


@dataclass(frozen=True)
class Machine:
    """``cpu`` is the processor's own name; ``cores`` those that this process may use."""

    cpu: str
    cores: int
    devices: tuple[Device, ...] = ()

    def device_for(self, target: Target) -> Device | None:
        """The local device on which a run counts as a run on ``target``; None for CPUs and absent devices."""
        for device in self.devices:
            same_arch = target.arch.rstrip("af") == device.arch.rstrip("af")
            if device.platform == target.platform and same_arch and target.device in device.name:
                return device
        return None


def detect() -> Machine:
    """Look at this machine without loading a framework or touching a GPU's context."""
    return Machine(cpu=_cpu_name(), cores=len(os.sched_getaffinity(0)), devices=(*_nvidia(), *_amd()))


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _nvidia() -> tuple[Device, ...]:
    """NVIDIA devices as ``nvidia-smi`` lists them; none where it is absent or fails."""
    rows = _lines("nvidia-smi", "--query-gpu=index,compute_cap,name", "--format=csv,noheader")
    devices: list[Device] = []
    for row in rows:
        parts = [part.strip() for part in row.split(",", 2)]
        if len(parts) == 3 and parts[0].isdigit():
            devices.append(Device("cuda", "sm_" + parts[1].replace(".", ""), parts[2], int(parts[0])))
    return tuple(devices)


def _amd() -> tuple[Device, ...]:
    """AMD GPUs from the kernel driver's own topology files."""
    devices: list[Device] = []
    for node in sorted(Path("/sys/class/kfd/kfd/topology/nodes").glob("*")):
        try:
            facts = dict(
                line.split(maxsplit=1)
                for line in (node / "properties").read_text(encoding="utf-8").splitlines()
                if " " in line
            )
            version = int(facts.get("gfx_target_version", "0"))
            name = (node / "name").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            continue
        if version:
            major, minor, step = version // 10000, version // 100 % 100, version % 100
            devices.append(Device("hip", f"gfx{major}{minor}{step:x}", name, len(devices)))
    return tuple(devices)


def _lines(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        return []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()
