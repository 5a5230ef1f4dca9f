"""What this machine has, as plain data: planning and toolchains read it, `detect` fills it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from akgflow.base.platforms import PLATFORMS

if TYPE_CHECKING:
    from akgflow.config.types import Target


@dataclass(frozen=True)
class Device:
    """One local accelerator. ``arch`` as the vendor's compiler names it without suffix (``sm_90``, ``gfx942``).

    ``index`` counts the machine's devices of that platform as the driver does; ``uuid`` where the vendor gives one.
    """

    platform: str
    arch: str
    name: str
    index: int
    uuid: str = ""


@dataclass(frozen=True)
class Machine:
    """``cpu`` is the processor's own name, ``arch`` as ``uname -m`` has it, ``cores`` those that it may use."""

    cpu: str
    cores: int
    devices: tuple[Device, ...] = ()
    arch: str = platform.machine()

    def device_for(self, target: Target) -> Device | None:
        """The local device on which a run counts as a run on ``target``; None for CPUs and absent devices."""
        for device in self.devices:
            same_arch = target.arch.rstrip("af") == device.arch.rstrip("af")
            if device.platform == target.platform and same_arch and target.device in device.name:
                return device
        return None

    def is_a(self, target: Target) -> bool:
        """True where ``target`` is here: one of the devices, or the processor itself."""
        if not target.on_host:
            return self.device_for(target) is not None
        same_arch = target.arch in (PLATFORMS[target.platform].any_arch, self.arch)
        return same_arch and target.device in self.cpu


def detect(environ: Mapping[str, str] = os.environ) -> Machine:
    """Look at this machine without loading a framework or touching a GPU's context.

    Devices that the vendor's variables (``CUDA_VISIBLE_DEVICES`` and its kin) keep from this process are not there.
    """
    devices = (*_left_by(environ, _nvidia()), *_left_by(environ, _amd()))
    return Machine(cpu=_cpu_name(), cores=len(os.sched_getaffinity(0)), devices=devices)


def visible(device: Device | None) -> dict[str, str | None]:
    """The variables with which a process sees ``device`` and no other, or none at all; None is a variable to unset."""
    every = [name for platform in PLATFORMS.values() for name in (platform.visible, *platform.also) if name]
    if device is None:
        return dict.fromkeys(every, "-1")
    own = {PLATFORMS[device.platform].visible: str(device.index), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return {**dict.fromkeys(every), **own}


def settings_of(device: Device | None) -> dict[str, str]:
    """Driver and clocks by which ``device``, or the processor, is set to work; what cannot be read is left out."""
    own = _SETTINGS[device.platform](device) if device is not None and device.platform in _SETTINGS else _processor()
    return {"linux": os.uname().release} | {name: value for name, value in own.items() if value}


def _processor() -> dict[str, str]:
    root = Path("/sys/devices/system/cpu")
    return {
        "governor": _line(root / "cpu0/cpufreq/scaling_governor"),
        "most kHz": _line(root / "cpu0/cpufreq/scaling_max_freq"),
        "boost": _line(root / "cpufreq/boost"),
    }


def _nvidia_settings(device: Device) -> dict[str, str]:
    fields = list(_NVIDIA_FIELDS.values())
    # A field that a driver does not know fails the whole query: then each is asked for by itself.
    found = nvidia_query(device, *fields) or [*chain(*(nvidia_query(device, one) or [""] for one in fields))]
    return {name: "" if one.startswith("[") else one for name, one in zip(_NVIDIA_FIELDS, found, strict=True)}


def nvidia_query(device: Device, *fields: str) -> list[str]:
    """The values of the fields, in their order; empty where the query fails."""
    rows = nvidia_rows(device, f"--query-gpu={','.join(fields)}")
    values = [one.strip() for one in rows[0].split(",")] if rows else []
    return values if len(values) == len(fields) else []


def nvidia_rows(device: Device, query: str) -> list[str]:
    """The lines that ``nvidia-smi`` prints for a query; none where it is absent or fails."""
    return _lines("nvidia-smi", f"--id={device.index}", query, "--format=csv,noheader")


_NVIDIA_FIELDS = {
    "driver": "driver_version",
    "most SM clock": "clocks.max.sm",
    "most memory clock": "clocks.max.memory",
    "application clock": "clocks.applications.graphics",
    "power limit": "power.limit",
}


def _amd_settings(device: Device) -> dict[str, str]:  # noqa: ARG001
    return {"driver": _line(Path("/sys/module/amdgpu/version"))}


_SETTINGS: Mapping[str, Callable[[Device], dict[str, str]]] = {"cuda": _nvidia_settings, "hip": _amd_settings}


def _line(path: Path) -> str:
    """The one line of a file of the system; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _left_by(environ: Mapping[str, str], devices: tuple[Device, ...]) -> tuple[Device, ...]:
    """The devices of one platform that the variables leave visible: each variable selects from the one before."""
    platform = PLATFORMS[devices[0].platform] if devices else None
    for name in (platform.visible, *platform.also) if platform else ():
        if name in environ:
            devices = _chosen(environ[name], devices)
    return devices


def _chosen(wanted: str, devices: tuple[Device, ...]) -> tuple[Device, ...]:
    """The devices that a list of places and UUIDs names, up to the first that there is not, as vendors read it."""
    found: list[Device] = []
    for word in (part.strip() for part in wanted.split(",")):
        if word.isdigit():
            named = devices[int(word) : int(word) + 1]
        else:
            named = tuple(d for d in devices if word and d.uuid.startswith(word))[:1]
        if not named:
            break
        found += named
    return tuple(found)


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
    rows = _lines("nvidia-smi", "--query-gpu=index,compute_cap,uuid,name", "--format=csv,noheader")
    devices: list[Device] = []
    for row in rows:
        parts = [part.strip() for part in row.split(",", 3)]
        if len(parts) == 4 and parts[0].isdigit():
            index, capability, uuid, name = parts
            devices.append(Device("cuda", "sm_" + capability.replace(".", ""), name, int(index), uuid))
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
