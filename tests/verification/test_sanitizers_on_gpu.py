"""compute-sanitizer on a device: each kind of planted fault is found with its line, and honest kernels give none."""

from __future__ import annotations

import pytest
from judging import Bench, target_of
from operator_texts import operator
from wild import members

from akgflow.sanitized import KINDS
from akgflow.terms import Evidence
from akgflow.verdict import Limits, Verdict

pytestmark = pytest.mark.gpu

DOUBLE = operator("""
    class Model(nn.Module):
        def forward(self, x):
            return 2 * x
    def get_inputs():
        return [torch.rand(37, 11)]
""")
ROW_SUMS = operator("""
    class Model(nn.Module):
        def forward(self, x):
            return x.sum(-1)
    def get_inputs():
        return [torch.rand(9, 128)]
""")
CUDA = '''
import torch
from {module}

SOURCE = r"""
__global__ void twice(const float* x, float* y, float* spare, int n) {{
  __shared__ float part[64];
  const int at = blockIdx.x * 64 + threadIdx.x;
  const int mirror = blockIdx.x * 64 + 63 - threadIdx.x;
  part[63 - threadIdx.x] = mirror < n ? x[mirror] : 0;
  __syncthreads();
  float value = 2 * part[threadIdx.x];
  if (at < n) y[at] = value;
}}
{host}
"""
{load}


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y, spare = torch.empty_like(x), torch.empty_like(x)
        {call}
        return y
'''
LOAD = CUDA.format(
    module="akgflow.toolchains.cuda_c import load",
    host='extern "C" void run(const float* x, float* y, float* spare, int n) '
    "{ twice<<<(n + 63) / 64, 64>>>(x, y, spare, n); }",
    load="library = load(SOURCE)",
    call="library.run(x, y, spare, x.numel())",
)
LOAD_INLINE = CUDA.format(
    module="torch.utils.cpp_extension import load_inline",
    host="void run(torch::Tensor x, torch::Tensor y, torch::Tensor spare) { const int n = x.numel();\n"
    "  twice<<<(n + 63) / 64, 64>>>(x.data_ptr<float>(), y.data_ptr<float>(), spare.data_ptr<float>(), n); }",
    load='HEAD = "void run(torch::Tensor, torch::Tensor, torch::Tensor);"\n'
    'library = load_inline("twice", HEAD, SOURCE, functions=["run"])',
    call="library.run(x, y, spare)",
)
WARPS = '''
import torch
from akgflow.toolchains.cuda_c import load

SOURCE = r"""
__global__ void sums(const float* x, float* y) {
  __shared__ float part[4];
  float value = x[blockIdx.x * 128 + threadIdx.x];
  for (int step = 16; step; step /= 2) value += __shfl_xor_sync(0xffffffff, value, step);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x == 0) y[blockIdx.x] = part[0] + part[1] + part[2] + part[3];
}
extern "C" void run(const float* x, float* y, int rows) { sums<<<rows, 128>>>(x, y); }
"""
library = load(SOURCE)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = x.new_empty(x.shape[0])
        library.run(x, y, x.shape[0])
        return y
'''
TRITON = """
import torch
import triton
import triton.language as tl


@triton.jit
def twice(x, y, spare, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n)
    tl.store(y + at, 2 * value, mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y, spare = torch.empty_like(x), torch.empty_like(x)
        twice[(triton.cdiv(x.numel(), 128),)](x, y, spare, x.numel(), BLOCK=128)
        return y
"""
BARRIER = "  __syncthreads();\n"
PLANTED = {
    # name: (text, right words, wrong words, kind, words of the lines that may be named)
    "a read behind the end": (LOAD, "= value;", "= value + 0 * x[at + n];", "memory", ["+ n]"]),
    "a read before the beginning": (LOAD, "= value;", "= value + 0 * x[at - n];", "memory", ["- n]"]),
    "a write behind the end": (LOAD, "= value;", "= value;\n  else spare[at] = value;", "memory", ["else spare"]),
    "a read of what nobody wrote": (LOAD, "= value;", "= value + 0 * spare[at];", "memory", ["spare[at]"]),
    "a race in shared memory": (LOAD, BARRIER, "", "race", ["part[63", "2 * part"]),
    "a barrier that some threads pass by": (
        LOAD,
        BARRIER,
        "  if (threadIdx.x % 32 < 16) { __syncthreads(); }\n",
        "race",
        ["% 32 < 16", "part[63", "2 * part"],
    ),
    "load_inline: a read behind the end": (LOAD_INLINE, "= value;", "= value + 0 * x[at + n];", "memory", ["+ n]"]),
    "load_inline: a race": (LOAD_INLINE, BARRIER, "", "race", ["part[63", "2 * part"]),
    "a barrier missing beside a shuffle": (WARPS, BARRIER, "", "race", ["part[threadIdx.x / 32]", "part[0]"]),
    "Triton: a read behind the end": (TRITON, "x + at, mask=at < n", "x + at, mask=at < n + 99", "memory", ["tl.load"]),
    "Triton: a write behind the end": (
        TRITON,
        "2 * value, mask=at < n)",
        "2 * value, mask=at < n)\n    tl.store(spare + at, value, mask=at < n + 20)",
        "memory",
        ["spare + at"],
    ),
    "Triton: a read of what nobody wrote": (
        TRITON,
        "mask=at < n)\n    tl.store",
        "mask=at < n) + 0 * tl.load(spare + at, mask=at < n)\n    tl.store",
        "memory",
        ["spare + at"],
    ),
}  # fmt: skip


def of(text: str) -> tuple[str, str]:
    """DSL and operator of one of the texts above."""
    return "triton" if "triton" in text else "cuda_c", ROW_SUMS if "sums<<<" in text else DOUBLE


def judged(bench: Bench, text: str, dsl: str, asked: object, **changes: object) -> Verdict:
    limits = Limits(build_seconds=180, run_seconds=120, memory_bytes=4 << 30)
    values = {"target": target_of("gpu"), "evidence": (Evidence.EXECUTED,), "limits": limits, "sanitize": KINDS}
    return bench.judge(text, asked, toolchain=dsl, **values | changes)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_with_its_line(bench: Bench, name: str) -> None:
    text, right, wrong, kind, words = PLANTED[name]
    assert text.count(right) == 1
    text = text.replace(right, wrong)
    lines = text.splitlines()
    verdict = judged(bench, text, *of(text))
    found = next(one for one in verdict.sanitized if one.kind == kind)
    assert found.findings, (str(found), verdict.status, verdict.message)
    named = [lines[one.line - 1] for one in found.findings if one.line is not None]
    assert named and all(any(word in line for word in words) for line in named), (str(found), named)


@pytest.mark.parametrize("text", [LOAD, LOAD_INLINE, WARPS, TRITON], ids=["load", "load_inline", "warps", "triton"])
def test_without_the_fault_nothing_is_found(bench: Bench, text: str) -> None:
    verdict = judged(bench, text, *of(text))
    assert verdict.passed, (verdict.message, verdict.log)
    assert all(one.clean for one in verdict.sanitized), verdict.sanitized


HONEST = [
    one for one in members() if one.statuses("device") == {"PASSED"} and one.header["dsl"] in ("triton", "cuda_c")
][::4]
"""Every fourth of the honest kernels in the idioms of published code."""


@pytest.mark.parametrize("member", HONEST, ids=[one.name for one in HONEST])
def test_an_honest_kernel_is_clean(bench: Bench, member) -> None:
    verdict = judged(bench, member.text, member.header["dsl"], member.operator, dtype=member.header.get("dtype"))
    assert verdict.passed, (verdict.message, verdict.log)
    assert all(one.clean for one in verdict.sanitized), [str(one) for one in verdict.sanitized]
