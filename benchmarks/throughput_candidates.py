"""Twenty kernels for `verify_throughput.py`, each in the form that either harness asks for.

Five operators, four kernels for each; one of the four is wrong. The body of a kernel is the same text in every form;
what differs is the binding: tvm-ffi or akgflow's CUDA loader, without torch's headers, or torch's ``load_inline``.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from akgflow import machine
from akgflow.config.types import Operator, Target
from akgflow.planning import Reach, judge_request
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest

ROWS, COLUMNS = 128, 1024

OPERATOR = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return {torch}

def get_inputs():
    return [torch.rand({rows}, {columns})]

def get_init_inputs():
    return []
"""
TORCH = {
    "relu": "torch.relu(x - 0.5)",
    "square": "x * x + x",
    "softmax": "torch.softmax(x, dim=-1)",
    "normalise": "torch.nn.functional.layer_norm(x, (x.shape[-1],))",
    "scale": "x / x.amax(dim=-1, keepdim=True)",
}
# What one thread (CUDA) or one loop iteration (C++) does with a row: `in` and `to` point to it, `n` is its length.
BODY = {
    "relu": "for (long c = first; c < n; c += step) to[c] = fmaxf(in[c] - 0.5f, 0.f) * F;",
    "square": "for (long c = first; c < n; c += step) to[c] = (in[c] * in[c] + in[c]) * F;",
    "softmax": """
        float best = in[0]; double total = 0;
        for (long c = 0; c < n; ++c) best = fmaxf(best, in[c]);
        for (long c = 0; c < n; ++c) total += expf(in[c] - best);
        for (long c = first; c < n; c += step) to[c] = (float)(expf(in[c] - best) / total) * F;""",
    "normalise": """
        double mean = 0, square = 0;
        for (long c = 0; c < n; ++c) mean += in[c];
        mean /= n;
        for (long c = 0; c < n; ++c) square += (in[c] - mean) * (in[c] - mean);
        const double inverse = 1 / sqrt(square / n + 1e-5);
        for (long c = first; c < n; c += step) to[c] = (float)((in[c] - mean) * inverse) * F;""",
    "scale": """
        float best = in[0];
        for (long c = 0; c < n; ++c) best = fmaxf(best, in[c]);
        for (long c = first; c < n; c += step) to[c] = in[c] / best * F;""",
}
TRITON_ROW = {
    "relu": "tl.maximum(v - 0.5, 0.0)",
    "square": "v * v + v",
    "softmax": "tl.exp(v - tl.max(v, axis=0)) / tl.sum(tl.exp(v - tl.max(v, axis=0)), axis=0)",
    "normalise": "(v - tl.sum(v, axis=0) / n) * tl.rsqrt(tl.sum(v * v, axis=0) / n"
    " - (tl.sum(v, axis=0) / n) * (tl.sum(v, axis=0) / n) + 1e-5)",
    "scale": "v / tl.max(v, axis=0)",
}


@dataclass(frozen=True)
class Candidate:
    """``ours`` and ``theirs`` are the modules' texts for akgflow and for KernelBench; ``right`` is the truth."""

    name: str
    toolchain: str
    operator: str
    ours: str
    theirs: str
    right: bool

    @classmethod
    def broken(cls, other: Candidate) -> Candidate:
        """No kernel at all, for ``other``'s operator."""
        return cls("broken", other.toolchain, other.operator, "", "", False)

    def request(self, device: str, timing: bool) -> JudgeRequest:
        """The question to akgflow's judge: executed on ``device``, against the operator alone."""
        operator, found = Operator(Path("operator.py"), self.operator), Reach((Evidence.EXECUTED,), {})
        return replace(judge_request(operator, self.ours, self.toolchain, target_of(device), found), time=timing)


@cache
def target_of(device: str) -> Target:
    """The target that stands for ``cpu``, or for this machine's first GPU."""
    if device == "cpu":
        return Target("cpu", "cpu", "native")
    gpu = machine.detect().devices[0]
    return Target("gpu", gpu.platform, gpu.arch, device=gpu.name)


def candidates(device: str) -> list[Candidate]:
    """All twenty for ``cpu`` (C++) or ``cuda`` (CUDA-C and Triton in turn)."""
    found = []
    for turn in range(4):
        for place, op in enumerate(TORCH):
            right = turn != place % 4
            number = 5 * turn + place
            factor = "1.0f" if right else "1.019f"
            operator = OPERATOR.format(torch=TORCH[op], rows=ROWS, columns=COLUMNS)
            if device == "cpu":
                texts = "cpp", _cpp(number, op, factor), _torch_cpp(number, op, factor)
            elif number % 2:
                text = _triton(number, op, factor.rstrip("f"))
                texts = "triton", text, text
            else:
                texts = "cuda_c", _cuda(number, op, factor), _torch_cuda(number, op, factor)
            found.append(Candidate(f"{number:02d}_{op}", texts[0], operator, texts[1], texts[2], right))
    return found


def _row(op: str, factor: str) -> str:
    return textwrap.dedent(BODY[op]).strip().replace("F;", f"{factor};")


def _cpp_body(number: int, op: str, factor: str) -> str:
    return f"""
#include <cmath>
static void rows_{number}(const float* x, float* y, long rows, long n) {{
  const long first = 0, step = 1;
  #pragma omp parallel for
  for (long r = 0; r < rows; ++r) {{
    const float* in = x + r * n;
    float* to = y + r * n;
    {_row(op, factor)}
  }}
}}"""


def _module(imports: str, source: str, build: str, call: str) -> str:
    return f'''
import torch
{imports}

SOURCE = r"""{source}
"""
{build}


class ModelNew(torch.nn.Module):
    def forward(self, x):
        {call}
'''


def _cpp(number: int, op: str, factor: str) -> str:
    source = f"""{_cpp_body(number, op, factor)}
void kernel_{number}(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {{
  rows_{number}((const float*)x.data_ptr(), (float*)out.data_ptr(), x.size(0), x.size(1));
}}"""
    build = f'library = load_inline(name="kernel_{number}", cpp_sources=SOURCE, functions=["kernel_{number}"])'
    call = f"out = torch.empty_like(x)\n        library.kernel_{number}(x, out)\n        return out"
    return _module("from tvm_ffi.cpp import load_inline", source, build, call)


def _torch_cpp(number: int, op: str, factor: str) -> str:
    source = f"""{_cpp_body(number, op, factor)}
torch::Tensor kernel_{number}(torch::Tensor x) {{
  auto out = torch::empty_like(x);
  rows_{number}(x.data_ptr<float>(), out.data_ptr<float>(), x.size(0), x.size(1));
  return out;
}}"""
    build = f"""library = load_inline(
    name="kernel_{number}", cpp_sources=SOURCE, functions=["kernel_{number}"],
    extra_cflags=["-O3", "-march=native", "-fopenmp"], extra_ldflags=["-fopenmp"])"""
    call = f"return library.kernel_{number}(x)"
    return _module("from torch.utils.cpp_extension import load_inline", source, build, call)


def _cuda_body(number: int, op: str, factor: str) -> str:
    return f"""
__global__ void rows_{number}(const float* x, float* y, long n) {{
  const float* in = x + blockIdx.x * n;
  float* to = y + blockIdx.x * n;
  const long first = threadIdx.x, step = blockDim.x;
  {_row(op, factor)}
}}"""


def _cuda(number: int, op: str, factor: str) -> str:
    source = f"""{_cuda_body(number, op, factor)}
extern "C" void kernel_{number}(const float* x, float* out, long rows, long n) {{
  rows_{number}<<<(unsigned)rows, 256>>>(x, out, n);
}}"""
    launch = f"library.kernel_{number}(x, out, x.shape[0], x.shape[1])"
    call = f"out = torch.empty_like(x)\n        {launch}\n        return out"
    return _module("from akgflow.toolchains.cuda_c import load", source, "library = load(SOURCE)", call)


def _torch_cuda(number: int, op: str, factor: str) -> str:
    source = f"""
#include <torch/extension.h>
#include <cuda_runtime.h>{_cuda_body(number, op, factor)}
torch::Tensor kernel_{number}(torch::Tensor x) {{
  auto out = torch::empty_like(x);
  rows_{number}<<<x.size(0), 256>>>(x.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
  return out;
}}"""
    build = f"""library = load_inline(
    name="kernel_{number}", cpp_sources="torch::Tensor kernel_{number}(torch::Tensor x);", cuda_sources=SOURCE,
    functions=["kernel_{number}"])"""
    return _module(
        "from torch.utils.cpp_extension import load_inline", source, build, f"return library.kernel_{number}(x)"
    )


def _triton(number: int, op: str, factor: str) -> str:
    return f"""
import torch
import triton
import triton.language as tl


@triton.jit
def kernel_{number}(x, out, n, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.load(x + tl.program_id(0) * n + at)
    tl.store(out + tl.program_id(0) * n + at, ({TRITON_ROW[op]}) * {factor})


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel_{number}[(x.shape[0],)](x, out, x.shape[1], B={COLUMNS})
        return out
"""
