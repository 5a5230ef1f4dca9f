"""Sessions on a real device: run with ``pytest -m gpu`` on a machine that has one."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from akgflow.executors.local import LocalExecutor
from akgflow.machine import detect
from akgflow.terms import Evidence, Status
from akgflow.toolchains import tilelang
from akgflow.verdict import JudgeRequest

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-5), ("bfloat16", 0.13)])
def test_autotuned_gemm_is_executed(drive, here, dtype, bound):
    shapes = {"inputs": [[[50, 77]], [[16, 77]]], "parameters": {"weight": [77, 130], "bias": [130]}, "init": [77, 130]}
    seen = drive("triton", "executed", here, "triton_gemm.py", **shapes, dtype=dtype)
    assert all(error < bound for error in seen["errors"]), seen
    assert seen["kernels"] == ["gemm_kernel"]


@pytest.fixture
def tilelang_here(here, targets):
    reason = tilelang.missing(Evidence.EXECUTED, targets[here], detect())
    if reason is not None:
        pytest.skip(reason)
    return here


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-5), ("bfloat16", 0.13)])
def test_gemm_in_tilelang_is_executed(drive, tilelang_here, dtype, bound):
    shapes = {
        "inputs": [[[50, 77]], [[200, 77]]],
        "parameters": {"weight": [77, 130], "bias": [130]},
        "init": [77, 130],
    }
    seen = drive("tilelang", "executed", tilelang_here, "tilelang_gemm_cuda.py", **shapes, dtype=dtype)
    assert all(error < bound for error in seen["errors"]), seen
    assert seen["kernels"] == ["gemm_exact" if dtype == "float32" else "gemm_tensor_cores"]


def test_rows_in_tilelang_are_executed(drive, tilelang_here):
    """The kernels that the knowledge documents quote: softmax over rows in pieces, and LayerNorm."""
    seen = drive("tilelang", "executed", tilelang_here, "tilelang_rows.py", [[[33, 5000]], [[3, 257]]])
    assert max(seen["errors"]) < 1e-5, seen
    assert seen["kernels"] == ["softmax_rows", "layernorm"]


@pytest.mark.parametrize("shape", [[2, 3, 250, 64], [1, 2, 128, 128]])
def test_attention_in_tilelang_is_executed(drive, tilelang_here, shape):
    seen = drive("tilelang", "executed", tilelang_here, "tilelang_attention.py", [[shape] * 3], dtype="bfloat16")
    assert max(seen["errors"]) < 0.03, seen


def test_gemm_in_tilelang_passes_the_judge(tmp_path, tilelang_here, targets):
    """In the sandbox, with a clock: what the framework may not do is not taken for TileLang's own allocations."""
    candidates = Path(__file__).parent / "candidates"
    operator = Path(__file__).parents[2] / "tasks" / "operators" / "gemm.py"
    request = JudgeRequest(
        candidate=(candidates / "tilelang_gemm_cuda.py").read_text(encoding="utf-8"),
        operator_file=str(operator),
        operator=operator.read_text(encoding="utf-8"),
        toolchain="tilelang",
        target=targets[tilelang_here],
        evidence=(Evidence.EXECUTED, Evidence.COMPILED),
        cases=({"m": 250, "n": 130, "k": 77}, {"m": 1024, "n": 1024, "k": 1024}),
    )
    verdict = asyncio.run(_judged(request, tmp_path))
    assert verdict.status is Status.PASSED, verdict.message
    assert verdict.evidence == (Evidence.EXECUTED, Evidence.COMPILED), verdict.absent
    assert verdict.timing or "timing" in verdict.absent
    wrong = replace(request, candidate=request.candidate.replace("T.ceildiv(K, BK)", "(K // BK)"), time=False)
    assert asyncio.run(_judged(wrong, tmp_path)).status is Status.INCORRECT_NUMERICAL


async def _judged(request, folder):
    executor = LocalExecutor(detect(), folder)
    try:
        return await executor.judge(request)
    finally:
        await executor.close()
