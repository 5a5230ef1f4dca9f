"""Triton sessions: interpreted numerics, compilation for GPUs that are not here, resources from the artefacts."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sampling import sampled

from akgflow.config.types import SourceKernel, Target
from akgflow.machine import Device, Machine
from akgflow.terms import Evidence
from akgflow.toolchains import CompileFailure, triton
from akgflow.toolchains.common.architecture import parse, shared_limit

HERE = Path(__file__).parent
GEMM = {"inputs": [[[50, 77]], [[16, 77]]], "parameters": {"weight": [77, 130], "bias": [130]}, "init": [77, 130]}
ONE_GEMM = {**GEMM, "inputs": [[[50, 77]]]}
ADD = [[[1000], [1000]]]
GEMM_TEXT = (HERE / "candidates" / "triton_gemm.py").read_text(encoding="utf-8")
ADD_TEXT = (HERE / "candidates" / "triton_add.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["cpu", "nvidia_h200", "amd_mi300x"])
def test_add_is_interpreted_whatever_the_target(drive, target):
    seen = drive("triton", "interpreted", target, "triton_add.py", ADD)
    assert seen["errors"][0] < 1e-6
    assert seen["kernels"] == ["add_kernel"]
    assert seen["home"] == []


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-5), ("bfloat16", 0.13)])
def test_autotuned_gemm_is_interpreted(drive, dtype, bound):
    # Outputs reach 32 to 64, where bf16 numbers are 0.25 apart: half of that is the best that can be had.
    seen = drive("triton", "interpreted", "nvidia_h200", "triton_gemm.py", **GEMM, dtype=dtype)
    assert all(error < bound for error in seen["errors"]), seen
    assert seen["dtype"] == f"torch.{dtype}"


def test_bf16_arithmetic_is_that_of_bf16_numbers(drive):
    seen = drive("triton", "interpreted", "cpu", "triton_bf16.py", [[[4, 30], [4, 30]]], dtype="bfloat16")
    # Values reach about 40, and each of some ten operations rounds to 8 bits.
    assert seen["errors"][0] < 1.0, seen


@pytest.mark.parametrize(
    ("target", "coarse"), [("nvidia_h200", True), ("amd_mi300x", True), ("amd_mi355x", False), ("cpu", False)]
)
def test_a_dot_that_names_no_precision_gets_that_of_its_target(drive, target, coarse):
    seen = drive("triton", "interpreted", target, GEMM_TEXT.replace(', input_precision="ieee"', ""), **ONE_GEMM)
    assert (seen["errors"][0] > 1e-3) is coarse
    assert (seen["errors"][0] < 2e-5) is not coarse


@pytest.mark.parametrize(
    ("precision", "least", "most"), [("tf32x3", 0.0, 2e-5), ("bf16x6", 0.0, 2e-5), ("bf16x3", 2e-5, 1e-3)]
)
def test_a_dot_of_parts_has_as_many_bits_as_these(drive, precision, least, most):
    text = GEMM_TEXT.replace('input_precision="ieee"', f'input_precision="{precision}"')
    seen = drive("triton", "interpreted", "nvidia_h200", text, **ONE_GEMM)
    assert least < seen["errors"][0] < most, seen


@pytest.mark.thorough
@pytest.mark.parametrize("target", ["nvidia_a100", "nvidia_h200", "nvidia_b200", "amd_mi300x"])
def test_autotuned_gemm_is_compiled_in_every_configuration(drive, targets, target):
    seen = drive("triton", "compiled", target, "triton_gemm.py", **ONE_GEMM)
    assert seen["kernels"] == ["gemm_kernel"]
    assert sorted(kernel["extra"]["num_warps"] for kernel in seen["resources"]) == [4, 8]
    for kernel in seen["resources"]:
        assert kernel["arch"] == targets[target].arch
        assert kernel["registers"] > 0
        assert 0 < kernel["shared_bytes"] <= shared_limit(targets[target])
        assert kernel["spill_bytes"] is not None
    assert seen["home"] == []


@pytest.mark.parametrize("target", ["nvidia_rtx4090", "nvidia_rtx5090", "amd_mi355x"])
def test_other_architectures_need_nothing_but_their_name(drive, targets, target):
    (kernel,) = drive("triton", "compiled", target, "triton_add.py", ADD)["resources"]
    assert kernel["arch"] == targets[target].arch
    assert kernel["registers"] > 0
    assert kernel["shared_bytes"] == 0


@pytest.mark.thorough
@pytest.mark.parametrize("arch", sampled(["gfx700", "gfx1399"], "gfx700"))
def test_an_architecture_for_which_nothing_compiles_is_no_fault_of_a_kernel(drive, targets, monkeypatch, arch):
    monkeypatch.setitem(targets, arch, Target(arch, "hip", arch))
    seen = drive("triton", "compiled", arch, "triton_add.py", ADD)
    assert seen["error"] == "Unsupported"
    assert f"compiles no kernel at all for {arch}" in seen["message"]


@pytest.mark.thorough
def test_a_configuration_that_does_not_fit_is_passed_over(drive):
    big = (
        'CONFIGS.append(triton.Config({"BM": 64, "BN": 64, "BK": 64}, num_warps=8, num_stages=9))\n\n\n@triton.autotune'
    )
    seen = drive("triton", "compiled", "nvidia_h200", GEMM_TEXT.replace("@triton.autotune", big), **ONE_GEMM)
    assert [kernel["extra"]["num_stages"] for kernel in seen["resources"]] == [2, 3]


@pytest.mark.thorough
def test_too_much_shared_memory_is_a_compile_failure(drive):
    begin, end = GEMM_TEXT.index("    triton.Config"), GEMM_TEXT.index("]\n\n")
    text = GEMM_TEXT[:begin] + '    triton.Config({"BM": 64, "BN": 64, "BK": 64}, num_warps=8, num_stages=9)\n'
    seen = drive("triton", "compiled", "nvidia_h200", text + GEMM_TEXT[end:], **ONE_GEMM)
    assert seen["error"] == "CompileFailure"
    assert "shared memory" in seen["message"]
    assert "232448" in seen["message"]


def test_compile_errors_say_where(drive):
    text = ADD_TEXT.replace("x + y, mask", "x + nonsense, mask")
    seen = drive("triton", "compiled", "nvidia_h200", text, ADD)
    assert seen["error"] == "CompileFailure"
    assert "nonsense is not defined" in seen["message"]
    line = text[: text.index("nonsense")].count("\n") + 1
    assert seen["message"].startswith(f"kernel add_kernel, line {line} of the module")


@pytest.mark.thorough
@pytest.mark.parametrize("target", ["nvidia_h200", "amd_mi300x"])
def test_resources_trust_the_artefacts_and_not_the_candidate(tmp_path, drive, targets, target):
    drive("triton", "compiled", target, "triton_gemm.py", **ONE_GEMM)
    (scratch,) = tmp_path.glob("run*/scratch")
    here = targets[target]
    other = targets["nvidia_a100"] if here.platform == "cuda" else replace(here, arch="gfx950")
    with pytest.raises(CompileFailure, match="was compiled for"):
        triton.resources(other, scratch)
    with pytest.raises(CompileFailure, match="bytes of shared memory"):
        triton.resources(replace(here, facts={"smem_kib": 16}), scratch)
    first = min((scratch / "artifacts").iterdir())
    (first / "kernel.json").write_text(json.dumps({"shared": -5, "num_warps": "many"}))
    assert triton.resources(here, scratch)[0].registers > 0
    for path in first.iterdir():
        path.write_text("nothing")
    with pytest.raises(CompileFailure, match="was produced"):
        triton.resources(here, scratch)
    shutil.rmtree(scratch / "artifacts")
    assert list(triton.resources(here, scratch)) == []


@pytest.mark.parametrize(
    ("arch", "platform", "number", "warp", "capability"),
    [
        ("sm_80", "cuda", 80, 32, (8, 0)),
        ("sm_90a", "cuda", 90, 32, (9, 0)),
        ("sm_100f", "cuda", 100, 32, (10, 0)),
        ("gfx942", "hip", 0, 64, (9, 4)),
        ("gfx90a", "hip", 0, 64, (9, 0)),
        ("gfx1201", "hip", 0, 32, (12, 0)),
    ],
)
def test_architectures_are_parsed(arch, platform, number, warp, capability):
    found = parse(Target("new", platform, arch))
    assert (found.number, found.warp, found.capability) == (number, warp, capability)


H200_HERE = Machine("a cpu", 2, (Device("cuda", "sm_90", "NVIDIA H200", 0),))
NOTHING_HERE = Machine("a cpu", 2)


@pytest.mark.parametrize(
    ("evidence", "target", "machine", "words"),
    [
        (Evidence.INTERPRETED, Target("x", "ascend", "ascend910b4"), NOTHING_HERE, None),
        (Evidence.COMPILED, Target("x", "cuda", "sm_90a"), NOTHING_HERE, None),
        (Evidence.COMPILED, Target("x", "hip", "gfx1201"), NOTHING_HERE, None),
        (Evidence.COMPILED, Target("x", "cuda", "hopper"), NOTHING_HERE, "write it as sm_NN"),
        (Evidence.COMPILED, Target("x", "cuda", "sm_70"), NOTHING_HERE, "install an older triton, from before sm_70"),
        (Evidence.COMPILED, Target("x", "cuda", "sm_139"), NOTHING_HERE, "install a newer triton, if there is such"),
        (Evidence.COMPILED, Target("x", "cuda", "sm_999"), NOTHING_HERE, "knows no sm_999"),
        (Evidence.COMPILED, Target("x", "cpu", "native"), NOTHING_HERE, "platform 'cpu'"),
        (Evidence.EXECUTED, Target("x", "cuda", "sm_90a", device="H200"), NOTHING_HERE, "this machine has no GPU"),
        (Evidence.EXECUTED, Target("x", "cuda", "sm_90a", device="H100"), H200_HERE, "NVIDIA H200 (sm_90)"),
        (Evidence.LOWERED, Target("x", "cuda", "sm_90a"), NOTHING_HERE, "not lowered"),
    ],
)
def test_missing_gives_the_reason(evidence, target, machine, words):
    reason = triton.missing(evidence, target, machine)
    assert (reason is None) if words is None else (words in reason)


def test_a_source_kernel_is_a_module():
    source = SourceKernel("triton", Path("k.py"), "class ModelNew: ...\n")
    assert triton.source_module(source) == source.source
