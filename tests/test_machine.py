"""What counts as being here: a processor by its architecture and its name, as devices do."""

import os
import platform
from pathlib import Path

import pytest

from akgflow.config.types import Target
from akgflow.machine import Device, Machine, detect, settings_of
from akgflow.terms import Evidence
from akgflow.toolchains import missing

EPYC = Machine("AMD EPYC 9654 96-Core Processor", 96, arch="x86_64")
GRACE = Machine("Neoverse-V2", 72, arch="aarch64")
OTHER = "x86_64" if platform.machine() == "aarch64" else "aarch64"


@pytest.mark.parametrize(
    ("machine", "arch", "device", "here"),
    [
        (EPYC, "native", "", True),
        (EPYC, "x86_64", "", True),
        (EPYC, "x86_64", "EPYC 9654", True),
        (EPYC, "x86_64", "Xeon", False),
        (EPYC, "native", "Xeon", False),
        (EPYC, "aarch64", "", False),
        (EPYC, "aarch64", "EPYC", False),
        (GRACE, "aarch64", "", True),
        (GRACE, "x86_64", "", False),
    ],
)
def test_a_processor_is_a_target_by_architecture_and_name(machine: Machine, arch: str, device: str, here: bool) -> None:
    assert machine.is_a(Target("mine", "cpu", arch, device=device)) is here


@pytest.mark.parametrize("toolchain", ["cpp", "tilelang"])
def test_nothing_is_executed_for_another_processor(toolchain: str) -> None:
    here = detect()
    assert here.arch == platform.machine()
    reason = missing(toolchain, Evidence.EXECUTED, Target("mine", "cpu", OTHER), here)
    assert reason is not None
    assert f"no mine ({OTHER}): it is {here.arch}" in reason
    assert reason.endswith("run there")


def test_the_processor_s_settings_name_what_can_be_read_here() -> None:
    found = settings_of(None)
    assert found["linux"] == platform.release() and all(found.values()) and "driver" not in found


_TOOL = """#!/bin/sh
echo "$2" >> "$0.asked"
case "$2" in *UNKNOWN*) exit 6;; esac
for field in $(echo "${2#--query-gpu=}" | tr , ' '); do
  case $field in clocks.max.sm) said="1980 MHz";; power.limit) said="[N/A]";; *) said="$field";; esac
  line="${line:+$line, }$said"
done
echo "$line"
"""
"""Stands for the driver's tool: answers in its form, and fails for a query with a field that it does not know."""


@pytest.mark.parametrize(("unknown", "asked"), [("none", 1), ("clocks.applications.graphics", 6)])
def test_a_driver_is_asked_once_unless_it_does_not_know_a_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unknown: str, asked: int
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(_TOOL.replace("UNKNOWN", unknown))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = settings_of(Device("cuda", "sm_90", "a GPU", 0, "GPU-1"))
    assert (found["driver"], found["most SM clock"]) == ("driver_version", "1980 MHz")
    assert "power limit" not in found
    assert ("application clock" in found) is (unknown == "none")
    assert len((tmp_path / "nvidia-smi.asked").read_text().splitlines()) == asked


@pytest.mark.gpu
def test_a_device_s_settings_name_driver_and_clocks() -> None:
    for device in detect().devices:
        assert {"driver", "most SM clock", "linux"} <= set(settings_of(device))
