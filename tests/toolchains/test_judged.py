"""The judge and the toolchains together: a source kernel, and evidence that a candidate's features rule out."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sampling import led

from akgflow.config.types import SourceKernel, Target
from akgflow.executors.local import LocalExecutor
from akgflow.machine import Machine
from akgflow.terms import Evidence, Status
from akgflow.toolchains.common import nvidia
from akgflow.verdict import JudgeRequest

TASKS = Path(__file__).parents[2] / "tasks"
OPERATOR = TASKS / "operators" / "gemm.py"
SOURCE = SourceKernel(
    dsl="cuda_c",
    file=TASKS / "kernels" / "gemm.cu",
    source=(TASKS / "kernels" / "gemm.cu").read_text(encoding="utf-8"),
    call="gemm_bias_relu(x, weight, bias, out, x.shape[0], weight.shape[1], x.shape[1])",
    out=("x.shape[0]", "weight.shape[1]"),
    inputs=("x",),
)
REQUEST = JudgeRequest(
    candidate=SOURCE,
    operator_file=str(OPERATOR),
    operator=OPERATOR.read_text(encoding="utf-8"),
    toolchain="cuda_c",
    target=Target("nvidia_h200", "cuda", "sm_90a", device="H200", facts={"smem_kib": 227}),
    evidence=(Evidence.INTERPRETED,),
    cases=({"m": 50, "n": 130, "k": 77}, {"m": 1, "n": 65, "k": 16}),
)


@pytest.fixture(scope="module")
def judge(tmp_path_factory, build_cache):
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setenv("AKGFLOW_CACHE", str(build_cache))
        executor = LocalExecutor(Machine("a cpu", 2), tmp_path_factory.mktemp("judged"))
        yield lambda request: runner.run(executor.judge(request))
        runner.run(executor.close())


def with_source(text):
    return replace(REQUEST, candidate=replace(SOURCE, source=text))


@pytest.mark.thorough
def test_the_source_kernel_is_judged_like_a_candidate(judge):
    verdict = judge(REQUEST)
    assert verdict.status is Status.PASSED, verdict.message
    assert verdict.evidence == (Evidence.INTERPRETED,)


@pytest.mark.thorough
def test_a_dropped_bias_in_the_source_is_found(judge):
    verdict = judge(with_source(SOURCE.source.replace("sum[i][j] + bias[col]", "sum[i][j]")))
    assert verdict.status is Status.INCORRECT_NUMERICAL, verdict.message


@pytest.mark.thorough
def test_a_missing_barrier_in_the_source_is_found(judge):
    verdict = judge(with_source(SOURCE.source.replace("__syncthreads();", "")))
    assert verdict.status is Status.RUNTIME_ERROR
    assert "threads race" in verdict.message


@pytest.mark.thorough
@pytest.mark.skipif(nvidia.nvcc() is None, reason="no nvcc here")
def test_what_cannot_be_interpreted_is_absent_and_the_rest_is_gathered(judge):
    text = SOURCE.source.replace("__syncthreads();", 'asm volatile("griddepcontrol.wait;"); __syncthreads();')
    verdict = judge(replace(with_source(text), evidence=(Evidence.INTERPRETED, Evidence.COMPILED)))
    assert verdict.status is Status.PASSED, verdict.message
    assert verdict.evidence == (Evidence.COMPILED,)
    assert "inline PTX" in verdict.absent["interpreted"]
    assert verdict.resources[0].registers > 0


GEMM_ON_CPU = (Path(__file__).parent / "candidates" / "tilelang_gemm_cpu.py").read_text(encoding="utf-8")
GEMM_ON_AMD = (Path(__file__).parent / "candidates" / "tilelang_gemm_hip.py").read_text(encoding="utf-8")
TILELANG = replace(
    REQUEST,
    candidate=GEMM_ON_CPU,
    toolchain="tilelang",
    target=Target("cpu", "cpu", "native"),
    evidence=(Evidence.EXECUTED,),
    cases=({"m": 50, "n": 130, "k": 77},),
    time=False,
)


@pytest.mark.parametrize(
    ("old", "new", "status", "words"),
    led(1, [
        ("", "", Status.PASSED, "right on all"),
        # The last 13 of 77 are left out of every sum.
        ("T.ceildiv(K, BK)", "(K // BK)", Status.INCORRECT_NUMERICAL, "elements are wrong"),
        ("return gemm_bias_relu(", "return torch.relu(x @ self.weight + self.bias) + 0 * gemm_bias_relu(",
         Status.FALLBACK, "aten::mm did the work"),
    ]),
)  # fmt: skip
def test_tilelang_is_judged_on_the_cpu(judge, old, new, status, words):
    verdict = judge(replace(TILELANG, candidate=GEMM_ON_CPU.replace(old, new)))
    assert verdict.status is status, verdict.message
    assert words in verdict.message


@pytest.mark.thorough
def test_what_was_lowered_is_said_to_be_no_more(judge):
    target = Target("amd_mi300x", "hip", "gfx942", facts={"smem_kib": 64})
    verdict = judge(replace(TILELANG, candidate=GEMM_ON_AMD, target=target, evidence=(Evidence.LOWERED,)))
    assert verdict.status is Status.PASSED, verdict.message
    assert verdict.evidence == (Evidence.LOWERED,)
    assert verdict.message == "lowered; numerics were not run"
    assert verdict.correctness is None
    nothing = GEMM_ON_AMD.replace("return gemm_bias_relu(", "return torch.empty(1)\n        return gemm_bias_relu(")
    verdict = judge(replace(TILELANG, candidate=nothing, target=target, evidence=(Evidence.LOWERED,)))
    assert verdict.status is Status.FALLBACK, verdict.message
