"""Verdicts on Triton kernels where something stands in for the device: what is the kernel's fault, and what is not."""

import pytest
from judging import CPU

from akgflow.config.types import Target
from akgflow.terms import Evidence, Status
from akgflow.verdict import Limits

H200 = Target("nvidia_h200", "cuda", "sm_90a", facts={"smem_kib": 227, "sms": 132})
OPERATOR = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2.5

def get_inputs():
    return [torch.randn(13, 77)]

def get_init_inputs():
    return []
"""
KERNEL = """
import torch
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x, o, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + at, mask=at < n)
    tl.store(o + at, v * 2.5, mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        scale_kernel[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), BLOCK=64)
        return o
"""
ASSEMBLY = (
    "v * 2.5",
    'tl.inline_asm_elementwise("{ .reg .f32 t; mul.f32 t, $1, 0f40200000; mov.f32 $0, t; }", "=f,f", [v], '
    "dtype=tl.float32, is_pure=True, pack=1)",
)
LAUNCH = "        scale_kernel[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), BLOCK=64)\n"
SWALLOWED = (LAUNCH, f"        try:\n    {LAUNCH}        except Exception:\n            o = x + x + 0.5 * x\n")
INTERPRETED, COMPILED = Evidence.INTERPRETED, Evidence.COMPILED


def judged(bench, target, evidence, *changes, **more):
    text = KERNEL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return bench.judge(text, OPERATOR, toolchain="triton", target=target, evidence=evidence, **more)


@pytest.mark.parametrize(
    ("target", "evidence", "changes", "status", "words"),
    [
        (CPU, (INTERPRETED,), [], Status.PASSED, "right on all"),
        (CPU, (INTERPRETED,), [("mask=at < n)\n    tl", "mask=at <= n)\n    tl")], Status.RUNTIME_ERROR,
         "line 10 of the module: program (15, 0, 0) reads 1 element past the end of x (float32[13, 77]), element 1001"),
        (CPU, (INTERPRETED,), [("o + at, v", "o + at % 64, v")], Status.RUNTIME_ERROR, "scale_kernel, line 11"),
        (CPU, (INTERPRETED,), [("v * 2.5", "v * scale")], Status.COMPILE_ERROR, "scale is not defined"),
        (CPU, (INTERPRETED,), [ASSEMBLY], Status.NOT_RUN, "inline assembly cannot be interpreted"),
        (H200, (INTERPRETED, COMPILED), [ASSEMBLY], Status.PASSED, "compiled; numerics were not run"),
        # What the interpreter cannot do stays its fault, whatever the candidate makes of the exception.
        (CPU, (INTERPRETED,), [ASSEMBLY, SWALLOWED], Status.NOT_RUN, "inline assembly cannot be interpreted"),
        (H200, (COMPILED,), [("torch.empty_like(x)", 'torch.empty(1 << 42, device="cuda")')], Status.NOT_RUN,
         "does not fit into this machine's memory"),
        (H200, (COMPILED,), [("torch.empty_like(x)", "torch.empty_like(x) if x[0, 0].item() else x")],
         Status.PASSED, "compiled"),
        (H200, (COMPILED,), [("        return o", "        return o if torch.cuda.Stream().nonsense else x")],
         Status.RUNTIME_ERROR, "has no attribute 'nonsense'"),
        (CPU, (INTERPRETED,), [("        return o", '        torch._C._cuda_getArchFlags()\n        return o')],
         Status.NOT_RUN, "redirected to the CPU"),
    ],
)  # fmt: skip
def test_whose_fault_it_is(bench, target, evidence, changes, status, words):
    verdict = judged(bench, target, evidence, *changes)
    assert verdict.status is status, (verdict.message, verdict.log)
    assert words in verdict.message


@pytest.mark.thorough
def test_a_kernel_that_is_interpreted_slowly_does_not_hang(bench):
    many = [("cdiv(x.numel(), 64),", "cdiv(x.numel(), 64), 400,"), ("    at =", WORK + "    at =")]
    verdict = judged(bench, CPU, (INTERPRETED,), *many, limits=Limits(build_seconds=60, run_seconds=2))
    assert verdict.status is Status.NOT_RUN, verdict.message
    assert "calls were interpreted in time" in verdict.message


WORK = "    for i in range(0, 20):\n        tl.debug_barrier()\n"
