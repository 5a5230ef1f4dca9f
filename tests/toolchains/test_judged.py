"""The judge and the toolchains together: a source kernel, and evidence that a candidate's features rule out."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from akgflow.config.types import SourceKernel, Target
from akgflow.executors.local import LocalExecutor
from akgflow.machine import Machine
from akgflow.terms import Evidence, Status
from akgflow.toolchains import _nvidia
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


@pytest.fixture
def judge(tmp_path, build_cache, monkeypatch):
    monkeypatch.setenv("AKGFLOW_CACHE", str(build_cache))

    def run(request):
        async def once():
            executor = LocalExecutor(Machine("a cpu", 2), tmp_path)
            try:
                return await executor.judge(request)
            finally:
                await executor.close()

        return asyncio.run(once())

    return run


def with_source(text):
    return replace(REQUEST, candidate=replace(SOURCE, source=text))


def test_the_source_kernel_is_judged_like_a_candidate(judge):
    verdict = judge(REQUEST)
    assert verdict.status is Status.PASSED, verdict.message
    assert verdict.evidence == (Evidence.INTERPRETED,)


def test_a_dropped_bias_in_the_source_is_found(judge):
    verdict = judge(with_source(SOURCE.source.replace("sum[i][j] + bias[col]", "sum[i][j]")))
    assert verdict.status is Status.INCORRECT_NUMERICAL, verdict.message


def test_a_missing_barrier_in_the_source_is_found(judge):
    verdict = judge(with_source(SOURCE.source.replace("__syncthreads();", "")))
    assert verdict.status is Status.RUNTIME_ERROR
    assert "threads race" in verdict.message


@pytest.mark.skipif(_nvidia.nvcc() is None, reason="no nvcc here")
def test_what_cannot_be_interpreted_is_absent_and_the_rest_is_gathered(judge):
    text = SOURCE.source.replace("__syncthreads();", 'asm volatile("bar.sync 0;");')
    verdict = judge(replace(with_source(text), evidence=(Evidence.INTERPRETED, Evidence.COMPILED)))
    assert verdict.status is Status.PASSED, verdict.message
    assert verdict.evidence == (Evidence.COMPILED,)
    assert "inline PTX" in verdict.absent["interpreted"]
    assert verdict.resources[0].registers > 0
