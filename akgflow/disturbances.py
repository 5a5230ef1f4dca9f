"""What could disturb timings on this machine, read from the system and from the driver; nothing is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from akgflow.base.text import lines
from akgflow.clocks import SLOWED, words_of
from akgflow.machine import Device, Machine, nvidia_query, nvidia_rows

BUSY = 0.25
"""Load beside us, as a share of the cores, that timings notice."""


class Disturbance(NamedTuple):
    """One thing that could disturb. ``ok`` where it does not; ``detail`` says how it is here."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def of_processor(machine: Machine, system: Path = Path("/"), load: float | None = None) -> Iterator[Disturbance]:
    """Of timings on the processor. ``system`` is the root of its files, ``load`` the mean of a minute."""
    cpus = system / "sys/devices/system/cpu"
    governor = _line(cpus / "cpu0/cpufreq/scaling_governor")
    yield Disturbance(
        "governor",
        governor in ("performance", ""),
        governor or "the system does not show it: a virtual machine's clock is its host's",
        "cpupower frequency-set --governor performance" if governor not in ("performance", "") else "",
    )
    load = os.getloadavg()[0] if load is None else load
    quiet = load <= BUSY * machine.cores
    hint = "" if quiet else "end other programs, or wait: timings get wider intervals, or none"
    yield Disturbance("load", quiet, f"{load:.2f} on {machine.cores} cores in the last minute", hint)
    smt = _line(cpus / "smt/active")
    words = {"1": "on: two threads share a core", "0": "off"}.get(smt, "the system does not show it")
    yield Disturbance("SMT", smt != "1", words, "echo off > /sys/devices/system/cpu/smt/control" if smt == "1" else "")
    yield _quota(system / "sys/fs/cgroup")


def _quota(group: Path) -> Disturbance:
    """Cores of a control group, version 2 or 1, beyond which the kernel stops its processes for a while."""
    words = _line(group / "cpu.max").split()
    if len(words) != 2:
        words = [_line(group / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    if not all(one.lstrip("-").isdigit() for one in words) or int(words[0]) <= 0 or int(words[1]) <= 0:
        return Disturbance("cgroup quota", True, "none")
    cores = int(words[0]) / int(words[1])
    stopped = next((one.split()[1] for one in lines(_text(group / "cpu.stat")) if "nr_throttled" in one), "0")
    hint = "give the container whole cores (cpuset) in place of a quota"
    return Disturbance("cgroup quota", False, f"{cores:g} cores; stopped {stopped} times so far", hint)


def of_device(device: Device) -> Iterator[Disturbance]:
    """Of timings on a device; nothing where its driver's tool does not say."""
    look = _LOOKS.get(device.platform)
    yield from look(device) if look is not None else ()


def _nvidia(device: Device) -> Iterator[Disturbance]:
    others = nvidia_rows(device, "--query-compute-apps=pid,process_name")
    yield from of_nvidia(others, dict(zip(_FIELDS, nvidia_query(device, *_FIELDS.values()), strict=False)))


_LOOKS: Mapping[str, Callable[[Device], Iterator[Disturbance]]] = {"cuda": _nvidia}


_FIELDS = {
    "reasons": "clocks_throttle_reasons.active",
    "application": "clocks.applications.graphics",
    "most": "clocks.max.sm",
    "persistence": "persistence_mode",
    "mig": "mig.mode.current",
}


def of_nvidia(others: list[str], values: dict[str, str]) -> Iterator[Disturbance]:
    """From what ``nvidia-smi`` prints: a line for each process, and values by the names of `_FIELDS`."""
    named = "; ".join(one.replace(", ", " ") for one in others[:4])
    yield Disturbance(
        "other processes",
        not others,
        f"{len(others)} on the device: {named}" if others else "none on the device",
        "end them, or choose another device with CUDA_VISIBLE_DEVICES" if others else "",
    )
    bits = int(values["reasons"], 16) if values.get("reasons", "").startswith("0x") else 0
    active = ", ".join(words_of(bits)) or "none"
    slow = bool(bits & SLOWED)
    hint = "let it cool, or look at its power supply: windows are discarded meanwhile" if slow else ""
    yield Disturbance("throttle reasons", not slow, active, hint)
    # A driver does not say whether clocks are locked: what it says is the clock that programs get by default.
    least, most = (values.get(name, "") for name in ("application", "most"))
    known = all(one.split()[:1] and one.split()[0].isdigit() for one in (least, most))
    detail = f"{least} by default, {most} at most" if known else "the driver does not say"
    lock = "nvidia-smi --lock-gpu-clocks holds them; whether they are held cannot be read"
    yield Disturbance("clocks", known and least == most, detail, "" if known and least == most else lock)
    kept = values.get("persistence", "")
    hint = "nvidia-smi --persistence-mode=1" if kept == "Disabled" else ""
    yield Disturbance("persistence", kept != "Disabled", kept or "the driver does not say", hint)
    mig = values.get("mig", "")
    hint = "other parts of the device share its clocks and its power" if mig == "Enabled" else ""
    yield Disturbance("MIG", mig != "Enabled", mig if mig in ("Enabled", "Disabled") else "not there", hint)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _line(path: Path) -> str:
    return _text(path).strip()
