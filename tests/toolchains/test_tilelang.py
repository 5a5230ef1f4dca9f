"""TileLang sessions: executed on the CPU, compiled and lowered for devices that are not here."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sampling import sampled
from wild import members

from akgflow.machine import Device, Machine
from akgflow.terms import Evidence, Status
from akgflow.toolchains import CompileFailure, tilelang
from akgflow.toolchains.common import nvidia
from akgflow.toolchains.common.architecture import shared_limit

CANDIDATES = Path(__file__).parent / "candidates"
GEMM = {"inputs": [[[50, 77]], [[1, 77]]], "parameters": {"weight": [77, 130], "bias": [130]}, "init": [77, 130]}
ONE_GEMM = {**GEMM, "inputs": [[[50, 77]]]}
ADD = [[[1000], [1000]], [[999], [999]]]
needs_nvcc = pytest.mark.skipif(nvidia.nvcc() is None, reason="no nvcc here")


def text(name):
    return (CANDIDATES / name).read_text(encoding="utf-8")


def test_gemm_is_executed_on_the_cpu(drive):
    seen = drive("tilelang", "executed", "cpu", "tilelang_gemm_cpu.py", **GEMM)
    assert max(seen["errors"]) < 2e-5, seen
    assert seen["kernels"] == ["gemm_bias_relu"]
    assert seen["resources"] == []
    assert seen["home"] == []


@pytest.mark.thorough
def test_the_older_form_with_sizes_of_the_call_is_executed_on_the_cpu(drive):
    module = text("tilelang_add.py").replace("tilelang.language", "tilelang.cpu.language").replace(", threads=128", "")
    seen = drive("tilelang", "executed", "cpu", module.replace("T.Parallel", "T.serial"), ADD)
    assert max(seen["errors"]) < 1e-6, seen
    assert seen["kernels"] == ["add_kernel"]


@needs_nvcc
@pytest.mark.parametrize("target", sampled(["nvidia_a100", "nvidia_h200", "nvidia_b200"], "nvidia_h200"))
def test_gemm_is_compiled(drive, targets, target):
    seen = drive("tilelang", "compiled", target, "tilelang_gemm_cuda.py", **ONE_GEMM, dtype="bfloat16")
    (kernel,) = seen["resources"]
    assert (kernel["kernel"], kernel["arch"]) == ("gemm_tensor_cores_kernel", targets[target].arch)
    assert kernel["registers"] > 32
    # Three stages of a 64 x 64 and a 64 x 128 tile.
    assert kernel["extra"]["dynamic_shared_bytes"] == 3 * (64 * 64 + 64 * 128) * 2
    assert kernel["extra"]["dynamic_shared_bytes"] <= kernel["shared_bytes"] <= shared_limit(targets[target])
    assert kernel["spill_bytes"] == 0
    assert seen["home"] == []


@pytest.mark.thorough
@needs_nvcc
def test_one_kernel_serves_sizes_of_the_call_and_its_own_target_does_not_count(drive):
    seen = drive("tilelang", "compiled", "nvidia_h200", "tilelang_add.py", ADD)
    assert [kernel["arch"] for kernel in seen["resources"]] == ["sm_90a"], seen
    assert seen["kernels"] == ["add_kernel"]


@pytest.mark.thorough
@needs_nvcc
def test_a_hopper_target_need_not_name_what_only_hopper_has(bench, targets):
    (member,) = [one for one in members() if one.file.stem == "matmul_pipelined"]
    target = replace(targets["nvidia_h200"], arch="sm_90")
    asked = {"toolchain": "tilelang", "target": target, "evidence": (Evidence.COMPILED,)}
    verdict = bench.judge(member.text, member.operator, **asked)
    assert verdict.status is Status.PASSED, verdict.message
    assert [kernel.arch for kernel in verdict.resources] == ["sm_90a"]


@pytest.mark.thorough
@needs_nvcc
def test_resources_trust_the_artefacts_and_not_the_candidate(tmp_path, drive, targets):
    drive("tilelang", "compiled", "nvidia_h200", "tilelang_gemm_cuda.py", **ONE_GEMM, dtype="bfloat16")
    (scratch,) = tmp_path.glob("run*/scratch")
    h200 = targets["nvidia_h200"]
    small = replace(h200, facts={"smem_kib": 64}, sources=("sms: one page", "smem_kib, warp_size: Some Guide, page 3"))
    with pytest.raises(CompileFailure, match=r"needs 7\d+ bytes .* 65536 .*smem_kib 64 of .*Some Guide, page 3"):
        tilelang.resources(small, scratch)
    with pytest.raises(CompileFailure, match="does not assemble for sm_80"):
        tilelang.resources(targets["nvidia_a100"], scratch)
    (folder,) = (scratch / "artifacts").iterdir()
    (folder / "kernel.json").write_text(json.dumps({"gemm_tensor_cores_kernel": -5, "other": "many"}))
    assert tilelang.resources(h200, scratch)[0].registers > 0
    (folder / "kernel.ptx").unlink()
    with pytest.raises(CompileFailure, match="no PTX was produced for sm_90a"):
        tilelang.resources(h200, scratch)


LOWERED = [
    ("amd_mi300x", "tilelang_gemm_hip.py", (64 * 32 + 32 * 128) * 4),
    ("ascend_950", "tilelang_gemm_ascend.py", None),
]


@pytest.mark.parametrize(("target", "candidate", "shared"), sampled(LOWERED, LOWERED[0]))
def test_gemm_is_lowered(tmp_path, drive, targets, target, candidate, shared):
    seen = drive("tilelang", "lowered", target, candidate, **ONE_GEMM)
    (kernel,) = seen["resources"]
    assert (kernel["kernel"], kernel["arch"]) == ("gemm_bias_relu_kernel", targets[target].arch)
    assert (kernel["registers"], kernel["shared_bytes"]) == (None, shared)
    assert seen["home"] == []
    (source,) = tmp_path.glob("run*/scratch/artifacts/*/kernel.txt")
    source.write_text("nothing")
    with pytest.raises(CompileFailure, match="no source was produced"):
        tilelang.resources(targets[target], source.parents[2])


def test_too_much_shared_memory_is_a_compile_failure(drive):
    big = text("tilelang_gemm_hip.py").replace("BK: int = 32", "BK: int = 128")
    seen = drive("tilelang", "lowered", "amd_mi300x", big, **ONE_GEMM)
    assert seen["error"] == "CompileFailure"
    assert "98304 bytes of shared memory, amd_mi300x has 65536" in seen["message"]
    assert "smem_kib 64 of amd_mi300x" in seen["message"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("T.clear(acc)", "T.clear(nonsense)", "NameError: name 'nonsense' is not defined"),
        ("T.gemm(xs, ws, acc)", "T.gemm(xs, ws, acc, transpose_B=True)", "K_B = 128"),
        ("alloc_fragment", "alloc_local", "thread-private"),
    ],
)
def test_compile_errors_say_what_and_where(drive, old, new, words):
    module = text("tilelang_gemm_hip.py").replace(old, new)
    seen = drive("tilelang", "lowered", "amd_mi300x", module, **ONE_GEMM)
    assert seen["error"] == "CompileFailure"
    assert words in seen["message"]
    assert "<unknown>" not in seen["message"]
    line = module[: module.index(new)].count("\n") + 1
    assert seen["message"].startswith((f"kernel gemm_bias_relu, line {line} of the module", "kernel gemm_bias_relu: "))


def test_what_the_c_compiler_said_is_handed_on_under_a_name_that_stays(drive):
    module = text("tilelang_gemm_cpu.py").replace("xs", "new")
    seen = drive("tilelang", "executed", "cpu", module, **ONE_GEMM)
    assert seen["error"] == "CompileFailure"
    assert re.search(r"kernel gemm_bias_relu: kernel\.cpp:\d+:\d+: error: expected .*new", seen["message"])
    assert "/tmp" not in seen["message"] and "#include" not in seen["message"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [([[[50, 76]]], "must have 77 elements in dimension 0 and has 76"), ([[[2, 50, 77]]], "2 dimensions")],
)
def test_a_launch_that_does_not_fit_is_noticed_without_a_device(drive, inputs, words):
    seen = drive("tilelang", "lowered", "amd_mi300x", "tilelang_gemm_hip.py", **{**GEMM, "inputs": inputs})
    assert seen["error"] in ("ValueError", "CompileFailure"), seen


HERE = Machine("a cpu", 2, (Device("cuda", "sm_90", "NVIDIA H200", 0),))
NOTHING = Machine("a cpu", 2)


@pytest.mark.parametrize(
    ("evidence", "target", "change", "machine", "words"),
    [
        ("executed", "cpu", {}, NOTHING, None),
        ("interpreted", "cpu", {}, NOTHING, "not interpreted besides"),
        ("lowered", "amd_mi300x", {}, NOTHING, None),
        ("compiled", "amd_mi300x", {}, NOTHING, "for hip are not compiled"),
        ("compiled", "nvidia_h200", {"arch": "hopper"}, NOTHING, "write it as sm_NN"),
        ("executed", "nvidia_h200", {}, NOTHING, "this machine has no GPU"),
        ("executed", "nvidia_h200", {"device": "H100"}, HERE, "NVIDIA H200 (sm_90)"),
        ("lowered", "nvidia_h200", {}, NOTHING, "not lowered"),
        ("lowered", "ascend_950", {}, NOTHING, None),
        ("lowered", "ascend_910b4", {}, NOTHING, "950 generation"),
        ("compiled", "ascend_950", {}, NOTHING, "so they are not compiled"),
    ],
)
def test_missing_gives_the_reason(targets, evidence, target, change, machine, words):
    reason = tilelang.missing(Evidence(evidence), replace(targets[target], **change), machine)
    assert (reason is None) if words is None else (words in reason)


@needs_nvcc
def test_an_architecture_that_nvcc_does_not_know(targets):
    reason = tilelang.missing(Evidence.COMPILED, replace(targets["nvidia_h200"], arch="sm_999"), NOTHING)
    assert "knows no sm_999" in reason


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["tilelang_rows.py", "tilelang_attention.py"])
def test_a_kernel_for_a_gpu_is_told_that_its_target_is_a_processor(drive, name):
    shapes = [[[4, 1200]]] if name == "tilelang_rows.py" else [[[1, 1, 32, 16]] * 3]
    seen = drive("tilelang", "executed", "cpu", name, shapes)
    assert seen["error"] == "CompileFailure"
    assert "shared memory and fragments are a GPU's" in seen["message"]
    assert "use tilelang.cpu.language" in seen["message"]
