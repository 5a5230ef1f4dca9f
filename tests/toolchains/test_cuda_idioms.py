"""CUDA C++ as people write it, without a device: what is right is interpreted and compiled, what is wrong is named.

Each function of a group gives ``2.5 * x``. A group is one extension, built once for each kind of evidence.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from sampling import sampled

from akgflow.toolchains.common import nvidia

IDIOMS = Path(__file__).parent / "candidates" / "idioms"
COMMON = (IDIOMS / "common.cuh").read_text(encoding="utf-8")
GROUPS = sorted(path.stem for path in IDIOMS.glob("*.cu") if path.stem != "arguments")
CALLS = {
    "tensor_ref": "out(x)",
    "optional": "ext.optional(x, None, x)",
    "lists": 'ext.lists([x], list(x.shape), [1.0, 2.5], "half", True)[0]',
    "nested": "ext.nested([[x], [torch.empty_like(x)]])[0]",
    "defaults": "ext.defaults(x, k=3, type=torch.float16)",
}
MODULE = '''
import torch
from torch.utils.cpp_extension import load_inline

ext = load_inline("group", cpp_sources={cpp!r}, cuda_sources=r"""{cuda}""", functions={functions!r},
                  extra_cuda_cflags=["-O3", "--extended-lambda"], with_cuda=True, verbose=False)


def out(x):
    made = torch.empty_like(x)
    ext.tensor_ref(made, x)
    return made


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        for name, call in {calls!r}.items():
            got = eval(call)
            assert got.shape == x.shape, name
            assert str(x.device) == "meta" or not x.is_cpu or torch.equal(got, x * 2.5), name
        return got


def reference(inputs, parameters):
    return 2.5 * inputs[0]
'''
needs_nvcc = pytest.mark.skipif(nvidia.nvcc() is None, reason="no nvcc here")
PLACES = [("interpreted", "cpu"), pytest.param("compiled", "nvidia_h200", marks=[needs_nvcc, pytest.mark.thorough])]
SHAPES = [[[13, 77]]]


def group_module(group):
    cuda = COMMON + (IDIOMS / f"{group}.cu").read_text(encoding="utf-8")
    names = re.findall(r"^torch::Tensor (\w+)\(torch::Tensor x\) {$", cuda, re.MULTILINE)
    cpp = "".join(f"torch::Tensor {name}(torch::Tensor x);" for name in names)
    return MODULE.format(cpp=cpp, cuda=cuda, functions=names, calls={name: f"ext.{name}(x)" for name in names})


@pytest.mark.parametrize(("evidence", "target"), PLACES)
@pytest.mark.parametrize("group", sampled(GROUPS, "launches"))
def test_what_people_write_is_judged(drive, group, evidence, target):
    seen = drive("cuda_c", evidence, target, group_module(group), SHAPES)
    assert "error" not in seen, seen
    assert seen["kernels"]


@pytest.mark.thorough
@pytest.mark.parametrize(("evidence", "target"), PLACES)
def test_arguments_and_results_cross(drive, evidence, target):
    """Bound by the sources themselves, without declarations of their own."""
    cuda = COMMON + (IDIOMS / "arguments.cu").read_text(encoding="utf-8")
    module = MODULE.format(cpp="", cuda=cuda, functions=None, calls=CALLS)
    assert "error" not in (seen := drive("cuda_c", evidence, target, module, SHAPES)), seen


SMALL = '''
import torch
from torch.utils.cpp_extension import load_inline

ext = load_inline("small", cpp_sources="torch::Tensor f(torch::Tensor x);", cuda_sources=r"""
#include <torch/extension.h>
PRELUDE
__global__ void kernel(const float* x, float* o, int n) {
  KERNEL
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = x[i] * 2.5f;
}
torch::Tensor f(torch::Tensor x) {
  auto o = torch::empty_like(x);
  const int n = x.numel();
  HOST
  kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), o.data_ptr<float>(), n);
  return o;
}
""", functions=["f"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return ext.f(x.contiguous())


def reference(inputs, parameters):
    return 2.5 * inputs[0]
'''


class Fault(NamedTuple):
    """What goes wrong, with words of its message; None where nothing does, or where it is of no interest."""

    interpreted: tuple[str, str] | None
    compiled: tuple[str, str] | None
    kernel: str = ""
    host: str = ""
    prelude: str = ""


FAULTS = {
    "slip": Fault(
        ("CompileFailure", "‘scael’ was not declared"),
        ("CompileFailure", '"scael" is undefined'),
        kernel="float v = scael;",
    ),
    "slip_in_torch": Fault(
        ("CompileFailure", "emptyy_like"), ("CompileFailure", "emptyy_like"), host="auto q = torch::emptyy_like(x);"
    ),
    "missing_in_torch": Fault(
        ("Unsupported", "torch::fft_rfft is not in the headers"),
        ("Unsupported", "torch::fft_rfft is not in the headers"),
        host="auto q = torch::fft_rfft(x);",
    ),
    "missing_member": Fault(
        ("Unsupported", "sparse_mask is not in the headers"),
        ("Unsupported", "sparse_mask is not in the headers"),
        host="auto q = x.sparse_mask(x);",
    ),
    "missing_header": Fault(
        ("Unsupported", "torch::autograd::impl is not in the headers"),
        ("Unsupported", "torch::autograd::impl::version_counter is not in the headers"),
        prelude="#include <torch/csrc/autograd/variable.h>",
        host="auto q = torch::autograd::impl::version_counter(x);",
    ),
    "missing_macro": Fault(
        ("Unsupported", "AT_PRIVATE_CHECK_SELECTIVE_BUILD is not in the headers"),
        ("Unsupported", "AT_PRIVATE_CHECK_SELECTIVE_BUILD is not in the headers"),
        host="AT_PRIVATE_CHECK_SELECTIVE_BUILD(int) q = 1;",
    ),
    "missing_runtime": Fault(
        ("Unsupported", "cudaArray_t is not in the headers"),
        ("Unsupported", "there is no cudaMallocArray without a device"),
        host="cudaArray_t array; cudaMallocArray(&array, nullptr, 1, 1);",
    ),
    "semicolon": Fault(("CompileFailure", "candidate.py:"), ("CompileFailure", "candidate.py("), host="int k = 3"),
    "undefined": Fault(
        ("CompileFailure", "helper is declared or called"),
        ("CompileFailure", "helper is declared or called"),
        prelude="int helper(int);",
        host="helper(n);",
    ),
    "refused_by_host": Fault(
        ("RuntimeError", "seven, not 2"),
        ("Unsupported", "seven, not 2"),
        host='TORCH_CHECK(x.dim() == 7, "seven, not ", x.dim());',
    ),
    "value_on_host": Fault(
        None, ("Unsupported", "item() gives nothing"), host="if (x.sum().item<float>() > 1e30f) return x;"
    ),
    "grid_sync": Fault(
        ("KernelFault", "is not launched by cudaLaunchCooperativeKernel"),
        None,
        kernel="cooperative_groups::this_grid().sync();",
        prelude="#include <cooperative_groups.h>",
    ),
    "unknown_ptx": Fault(("Unsupported", "inline PTX (line 9)"), None, kernel='asm volatile("griddepcontrol.wait;");'),
    "race_of_warps": Fault(
        ("KernelFault", "threads race"),
        None,
        kernel=(
            "__shared__ float s[256]; s[threadIdx.x] = threadIdx.x; float v = s[255 - threadIdx.x]; "
            "if (v > 1e30f || v != v) return;"
        ),
    ),
    "race_in_a_warp": Fault(
        ("KernelFault", "a __syncthreads or __syncwarp is missing"),
        None,
        kernel=(
            "__shared__ volatile float s[32]; int t = threadIdx.x; "
            "if (t < 32) { s[t] = 1; __syncwarp(); s[t] += s[31 - t]; } __syncthreads(); if (s[3] > 2.5f) return;"
        ),
    ),
    "race_of_blocks": Fault(
        ("KernelFault", "threads race"),
        None,
        kernel="if (threadIdx.x == 0) o[0] = blockIdx.x; if (blockIdx.x + threadIdx.x == 0) return;",
    ),
    "never_written": Fault(
        ("wrong", ""),
        None,
        kernel=(
            "__shared__ float s[256]; if (threadIdx.x) s[threadIdx.x] = 0; __syncthreads(); if (!(s[0] < 1)) x = o;"
        ),
    ),
    "past_shared": Fault(
        (
            "KernelFault",
            (
                "past the end of s, which has 1024 bytes; "
                "in kernel kernel, launched with grid (4, 1, 1), block (256, 1, 1)"
            ),
        ),
        None,
        kernel="__shared__ float s[256]; s[threadIdx.x + 1] = 0; __syncthreads();",
    ),
    "past_tensor": Fault(
        (
            "KernelFault",
            (
                "illegal address: thread (255, 0, 0) of block (3, 0, 0) writes 32 bytes past the end of a "
                "tensor made by host code"
            ),
        ),
        None,
        kernel="if (blockIdx.x == 3 && threadIdx.x == 255) o[n + 8] = 1.f;",
    ),
    "just_past_tensor": Fault(
        ("KernelFault", "writes past the end of a tensor made by host code (float32 [13, 77])"),
        None,
        kernel="if (blockIdx.x + threadIdx.x == 0) o[n] = 1.f;",
    ),
    "before_tensor": Fault(
        ("KernelFault", "before the start of argument 1 (float32 [13, 77])"),
        None,
        kernel="if (blockIdx.x + threadIdx.x == 0 && x[-20000] > 0) return;",
    ),
    "null": Fault(
        ("KernelFault", "writes at a null pointer; in kernel kernel"),
        None,
        kernel="if (threadIdx.x == 7) o = nullptr;",
    ),
    "divergent": Fault(
        ("KernelFault", "different __syncthreads (lines 9 and 10)"),
        None,
        kernel="if (threadIdx.x < 100) { __syncthreads(); } else {\n __syncthreads(); }",
    ),
    "large_stack": Fault(
        ("Unsupported", "more local memory"),
        None,
        kernel=("volatile float big[40000]; for (int k = 0; k < 40000; ++k) big[k] = k; if (big[7] != 7) return;"),
    ),
    "spin": Fault(
        None,
        None,
        prelude="__device__ int flag;",
        kernel=(
            "if (blockIdx.x == 0) { while (atomicAdd(&flag, 0) < 3) {} } "
            "else if (threadIdx.x == 0) atomicAdd(&flag, 1);"
        ),
    ),
    "spin_in_vain": Fault(
        ("KernelFault", "deadlock: threads look again and again"),
        None,
        prelude="__device__ int flag;",
        kernel="while (atomicAdd(&flag, 0) < 3) {}",
    ),
    "large_block": Fault(
        ("KernelFault", "a block of 2048x1x1 threads is not possible"),
        ("CompileFailure", "a block of 2048x1x1 threads is not possible"),
        host="kernel<<<1, 2048>>>(x.data_ptr<float>(), o.data_ptr<float>(), 0);",
    ),
    "wrong_type": Fault(
        ("RuntimeError", "expected scalar type Double but found Float"),
        ("Unsupported", "expected scalar type Double but found Float"),
        host="x.data_ptr<double>();",
    ),
}


def small(fault):
    parts = {"PRELUDE": fault.prelude, "KERNEL": fault.kernel, "HOST": fault.host}
    return re.sub("|".join(parts), lambda found: parts[found[0]], SMALL)


def outcome(seen):
    if "error" in seen:
        return seen["error"], seen["message"]
    return ("wrong" if any(error != error or error > 1e-6 for error in seen["errors"]) else "right"), ""


@pytest.mark.thorough
@pytest.mark.parametrize("name", sampled(FAULTS, "past_tensor"))
def test_what_is_wrong_is_named_where_it_is_interpreted(drive, name):
    expected = FAULTS[name].interpreted
    kind, words = outcome(drive("cuda_c", "interpreted", "cpu", small(FAULTS[name]), SHAPES))
    if expected is None:
        assert kind == "right", words
    elif expected[0] != "any":
        assert kind == expected[0] and expected[1] in words, (kind, words)


@pytest.mark.thorough
@needs_nvcc
@pytest.mark.parametrize("name", sampled((name for name in FAULTS if FAULTS[name].compiled), "slip"))
def test_what_is_wrong_is_named_where_it_is_compiled(drive, name):
    expected = FAULTS[name].compiled
    kind, words = outcome(drive("cuda_c", "compiled", "nvidia_h200", small(FAULTS[name]), SHAPES))
    assert kind == expected[0] and expected[1] in words, (kind, words)
