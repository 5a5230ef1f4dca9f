"""What counts as being here: a processor by its architecture and its name, as devices do."""

import platform

import pytest

from akgflow.config.types import Target
from akgflow.machine import Machine, detect, settings_of
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


@pytest.mark.gpu
def test_a_device_s_settings_name_driver_and_clocks() -> None:
    for device in detect().devices:
        assert {"driver", "most SM clock", "linux"} <= set(settings_of(device))
