"""CUDA C++ candidates in KernelBench's form, where there is no device: interpreted, compiled, and what they lack."""

from pathlib import Path

import pytest

from akgflow.toolchains.common import nvidia
from akgflow.toolchains.cuda_c.extension import inline_sources, nvcc_flags

INLINE = (Path(__file__).parent / "candidates" / "cuda_inline.py").read_text(encoding="utf-8")
CASE = {"inputs": [[[5, 300]], [[5, 1]]], "parameters": {"bias": [5]}, "init": [5]}
EMPTY = "torch::empty({x.size(0)}, x.options())"
needs_nvcc = pytest.mark.skipif(nvidia.nvcc() is None, reason="no nvcc here")


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("bfloat16", 0.2), ("float16", 0.03)])
def test_it_is_interpreted(drive, dtype, bound):
    seen = drive("cuda_c", "interpreted", "cpu", INLINE, **CASE, dtype=dtype)
    assert seen.get("kernels") == ["row_sums_kernel"], seen
    assert max(seen["errors"]) < bound
    assert seen["dtype"] == f"torch.{dtype}"


@pytest.mark.thorough
@needs_nvcc
def test_it_is_compiled_with_what_it_launches(drive):
    seen = drive("cuda_c", "compiled", "nvidia_h200", INLINE, **CASE, dtype="bfloat16")
    (kernel,) = seen["resources"]
    assert (kernel["kernel"], kernel["shared_bytes"]) == ("row_sums_kernel", 512)
    assert kernel["registers"] > 8


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("half]", "halff]", "CompileFailure", "candidate.py:20:75: error: ‘halff’ was not declared"),
        ("  __syncthreads();\n  for", "  for", "KernelFault", "threads race"),
        ("x.dim() == 2", "x.dim() == 3", "RuntimeError", "x must have two dimensions, has 2"),
        (EMPTY, "torch::fft_fft(x)", "Unsupported", "torch::fft_fft is not in the headers that stand in"),
        ("sum = 0.0f;", 'sum = 0.0f; asm("trap;");', "Unsupported", "inline PTX (line 15)"),
        ("row_sums(x, self.bias)", "row_sums(x)", "RuntimeError", "row_sums takes 2 arguments and got 1"),
        ("row_sums(x, self.bias)", "rows(x)", "AttributeError", "no function 'rows'; it has row_sums"),
        (
            "out.data_ptr<scalar_t>()",
            "(scalar_t*)out.data_ptr<int>()",
            "RuntimeError",
            "expected scalar type Int but found Float",
        ),
    ],
)
def test_what_is_wrong_is_said(drive, old, new, error, words):
    text = INLINE.replace(old, new)
    assert text != INLINE
    seen = drive("cuda_c", "interpreted", "cpu", text, **CASE)
    assert seen["error"] == error, seen
    assert words in seen["message"]


VIEWS = r"""
#include <torch/extension.h>
__global__ void twice_kernel(torch::PackedTensorAccessor32<float, 2, torch::RestrictPtrTraits> x,
                             torch::PackedTensorAccessor32<float, 2, torch::RestrictPtrTraits> out) {
  for (int c = threadIdx.x; c < x.size(1); c += blockDim.x) out[blockIdx.x][c] = 2.0f * x[blockIdx.x][c];
}
std::vector<torch::Tensor> twice(const torch::Tensor& x, c10::optional<torch::Tensor> none, double scale, bool flag) {
  TORCH_CHECK(!none.has_value() && scale == 0.5 && flag);
  auto out = torch::zeros({x.size(1), x.size(0)}, x.options());
  twice_kernel<<<x.size(1), 32>>>(x.t().packed_accessor32<float, 2, torch::RestrictPtrTraits>(),
                                  out.packed_accessor32<float, 2, torch::RestrictPtrTraits>());
  return {out.t(), out.view({-1}), out.to(torch::kHalf)};
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("twice", &twice, "doubles", py::arg("x"), py::arg("none"), py::arg("scale"), py::arg("flag"));
}
"""


@pytest.mark.thorough
def test_views_accessors_options_and_lists_cross(drive):
    module = f'''
import torch
from torch.utils.cpp_extension import load_inline

library = load_inline("twice", "", cuda_sources=[r"""{VIEWS}"""])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        turned, flat, half = library.twice(x, None, 0.5, True)
        assert turned.stride() == (1, x.shape[0]) and flat.shape == (x.numel(),) and half.dtype == torch.float16
        assert torch.equal(turned.t().reshape(-1), flat) and turned.data_ptr() == flat.data_ptr()
        return turned


def reference(inputs, parameters):
    return 2 * inputs[0]
'''
    assert drive("cuda_c", "interpreted", "cpu", module, [[[3, 70]]])["errors"] == [0.0]


FILES = """
import torch
from pathlib import Path
from torch.utils.cpp_extension import load

here = Path(__file__).parent
(here / "scale.h").write_text("torch::Tensor scale(torch::Tensor x);")
(here / "bind.cpp").write_text(
    '#include <torch/extension.h>\\n#include "scale.h"\\n'
    "PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def(\\"scale\\", &scale); }"
)
(here / "scale.cu").write_text(
    '#include <torch/extension.h>\\n#include "scale.h"\\n'
    "__global__ void scale_kernel(float* x, int n) { int i = threadIdx.x; if (i < n) x[i] *= FACTOR; }\\n"
    "torch::Tensor scale(torch::Tensor x) { auto y = x.clone(); "
    "scale_kernel<<<1, 256>>>(y.data_ptr<float>(), y.numel()); return y; }"
)
library = load("scaled", [str(here / "bind.cpp"), str(here / "scale.cu")], extra_cuda_cflags=["-DFACTOR=2.5f", ""])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return library.scale(x)


def reference(inputs, parameters):
    return 2.5 * inputs[0]
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("evidence", "target"), [("interpreted", "cpu"), pytest.param("compiled", "nvidia_h200", marks=needs_nvcc)]
)
def test_sources_in_files_are_built_with_the_candidates_flags(drive, evidence, target):
    seen = drive("cuda_c", evidence, target, FILES, [[[200]]])
    assert seen.get("kernels") == ["scale_kernel"], seen
    assert all(error < 1e-6 for error in seen["errors"])


def test_sources_keep_their_lines_and_functions_are_bound_beside_the_declarations():
    host, cuda = inline_sources(["one"], "two", {"f": "doc"}, {"one": 7, "two": 9}.__getitem__, "c.py")
    assert host.text.splitlines()[1:3] == ['#line 7 "c.py"', "one"]
    assert cuda.text.splitlines()[1:3] == ['#line 9 "c.py"', "two"]
    assert 'm.def("f", &f);' in host.text and "m.def" not in cuda.text
    assert (host.host, cuda.host) == (True, False)


def test_the_target_chooses_the_architecture():
    given = ["-O3", "-gencode", "arch=compute_80,code=sm_80", "-arch=sm_70", "--use_fast_math"]
    assert nvcc_flags(given) == ["-O3", "--use_fast_math"]
    assert nvcc_flags(None) == []
