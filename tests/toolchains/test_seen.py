"""What the judge itself knows of a toolchain's kernels, without asking a candidate."""

from pathlib import Path

import pytest

from akgflow import toolchains
from akgflow.config.types import Target
from akgflow.terms import Evidence
from akgflow.toolchains.common.silence import can_silence

CPU = Target("cpu", "cpu", "native")
H200 = Target("nvidia_h200", "cuda", "sm_90a")
OWN, INSTALLED = {"/somewhere/own.so"}, {"/usr/lib/libgomp.so.1"}


@pytest.mark.parametrize(
    ("toolchain", "evidence", "target", "silences"),
    [
        ("cpp", Evidence.EXECUTED, CPU, can_silence()),
        ("triton", Evidence.INTERPRETED, CPU, True),
        ("triton", Evidence.EXECUTED, H200, False),
        ("triton", Evidence.COMPILED, H200, False),
        ("cuda_c", Evidence.INTERPRETED, CPU, True),
        ("cuda_c", Evidence.EXECUTED, H200, False),
        ("tilelang", Evidence.EXECUTED, CPU, False),
        ("framework", Evidence.EXECUTED, CPU, False),
    ],
)
def test_which_kernels_can_be_taken_away(toolchain, evidence, target, silences):
    assert toolchains.silences(toolchain, evidence, target) is silences


@pytest.mark.parametrize(
    ("toolchain", "evidence", "target"),
    [
        ("cpp", Evidence.EXECUTED, CPU),
        ("cuda_c", Evidence.INTERPRETED, CPU),
        ("cuda_c", Evidence.EXECUTED, H200),
        ("tilelang", Evidence.EXECUTED, CPU),
    ],
)
def test_a_library_of_its_own_is_a_kernel_and_an_installed_one_is_not(toolchain, evidence, target, tmp_path):
    def sees(files):
        return toolchains.sees_kernels(toolchain, evidence, target, tmp_path, files)

    assert (sees(set()), sees(INSTALLED), sees(INSTALLED | OWN)) == (False, False, True)


def test_what_is_below_the_scratch_folder_is_never_installed():
    scratch = Path("/usr/src/app/runs/1")
    assert toolchains.sees_kernels("cpp", Evidence.EXECUTED, CPU, scratch, {f"{scratch}/builds/own.so"})


@pytest.mark.parametrize("toolchain", ["triton", "tilelang"])
def test_a_compiled_kernel_is_seen_in_its_artefact(toolchain, tmp_path):
    def sees():
        return toolchains.sees_kernels(toolchain, Evidence.COMPILED, H200, tmp_path, set())

    assert sees() is False
    (tmp_path / "artifacts" / "000-scale").mkdir(parents=True)
    assert sees() is True


@pytest.mark.parametrize(
    ("toolchain", "evidence"), [("triton", Evidence.INTERPRETED), ("framework", Evidence.EXECUTED)]
)
def test_where_there_is_nothing_to_see_nothing_is_claimed(toolchain, evidence, tmp_path):
    assert toolchains.sees_kernels(toolchain, evidence, CPU, tmp_path, OWN) is None
