"""Sessions change the process they run in: each test starts one in a fresh interpreter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from akgflow.base.serial import to_data
from akgflow.config.types import Target
from akgflow.machine import detect

HERE = Path(__file__).parent

CPU = Target("cpu", "cpu", "native")
H200 = Target("nvidia_h200", "cuda", "sm_90a", device="H200", facts={"smem_kib": 227, "sms": 132})
A100 = Target("nvidia_a100", "cuda", "sm_80", facts={"smem_kib": 163, "sms": 108})
B200 = Target("nvidia_b200", "cuda", "sm_100a", facts={"smem_kib": 227, "sms": 148})
ADA = ("smem_kib, regs_per_block: NVIDIA Ada GPU Architecture Tuning Guide",)
RTX4090 = Target("nvidia_rtx4090", "cuda", "sm_89", facts={"smem_kib": 99, "sms": 128}, sources=ADA)
RTX5090 = Target("nvidia_rtx5090", "cuda", "sm_120", facts={"smem_kib": 99})
MI300X = Target("amd_mi300x", "hip", "gfx942", facts={"smem_kib": 64, "cus": 304})
MI355X = Target("amd_mi355x", "hip", "gfx950", facts={"smem_kib": 160})
ASCEND950 = Target("ascend_950", "ascend", "ascend950")
ASCEND910 = Target("ascend_910b4", "ascend", "ascend910b4")
TARGETS = {t.name: t for t in (CPU, H200, A100, B200, RTX4090, RTX5090, MI300X, MI355X, ASCEND950, ASCEND910)}


@pytest.fixture
def targets():
    return TARGETS


@pytest.fixture(scope="session")
def build_cache(tmp_path_factory):
    """One build cache for the whole test run, so that nothing is built twice and nothing outlives it."""
    return tmp_path_factory.mktemp("build-cache")


@pytest.fixture(scope="session")
def driver():
    """A process with torch loaded that forks one child for each session."""
    command = [sys.executable, str(HERE / "drive.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.fixture
def drive(tmp_path, build_cache, driver):
    """``drive(toolchain, evidence, target, candidate, inputs, …)``: what a session of its own process saw."""
    count = 0

    def run(toolchain, evidence, target, candidate, inputs, **more):
        nonlocal count
        count += 1
        folder = tmp_path / f"run{count}"
        scratch, home = folder / "scratch", folder / "home"
        scratch.mkdir(parents=True)
        home.mkdir()
        path = HERE / "candidates" / candidate
        if "\n" in candidate:
            path = folder / "candidate.py"
            path.write_text(candidate)
        spec = {
            "toolchain": toolchain,
            "evidence": evidence,
            "target": to_data(TARGETS[target]),
            "scratch": str(scratch),
            "candidate": str(path),
            "inputs": inputs,
            "environment": {"AKGFLOW_CACHE": str(build_cache), "HOME": str(home)},
            **more,
        }
        (folder / "spec.json").write_text(json.dumps(spec))
        driver.stdin.write(f"{folder / 'spec.json'}\n")
        driver.stdin.flush()
        assert driver.stdout.readline().strip() == "0"
        seen = json.loads((folder / "seen.json").read_text())
        seen["home"] = [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()]
        return seen

    return run


@pytest.fixture
def here(targets, monkeypatch):
    """The name of a target that is the first device of this machine."""
    device = detect().devices[0]
    arch = "sm_90a" if device.arch == "sm_90" else device.arch
    monkeypatch.setitem(targets, "here", Target("here", device.platform, arch, device=device.name))
    return "here"
