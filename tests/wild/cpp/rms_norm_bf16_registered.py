"""operator: rms_norm_wide
dsl: cpp
does: an operator of PyTorch's own, defined and registered for CPUs in C++, called by torch.ops, in bfloat16
cpu: PASSED
nvidia_h200: -
device: -
dtype: bfloat16
"""

import torch
from torch.utils.cpp_extension import load_inline

load_inline(
    name="wild_rms_norm",
    cpp_sources=r"""
#include <torch/library.h>
#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>

namespace {
template <typename scalar_t>
void rms_norm_kernel(const scalar_t* x, const scalar_t* w, scalar_t* y, int64_t rows, int64_t n, double eps) {
  using opmath_t = at::opmath_type<scalar_t>;
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r) {
    opmath_t sum = 0;
    for (int64_t c = 0; c < n; ++c) sum += opmath_t(x[r * n + c]) * opmath_t(x[r * n + c]);
    const opmath_t scale = opmath_t(1) / std::sqrt(sum / n + opmath_t(eps));
    for (int64_t c = 0; c < n; ++c) y[r * n + c] = scalar_t(opmath_t(x[r * n + c]) * scale * opmath_t(w[c]));
  }
}

at::Tensor rms_norm_cpu(const at::Tensor& input, const at::Tensor& weight, double eps) {
  const at::Tensor x = input.contiguous();
  at::Tensor y = at::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, x.scalar_type(), "rms_norm", [&] {
    rms_norm_kernel<scalar_t>(x.const_data_ptr<scalar_t>(), weight.const_data_ptr<scalar_t>(), y.mutable_data_ptr<scalar_t>(),
                              x.numel() / weight.numel(), weight.numel(), eps);
  });
  return y;
}
}  // namespace

TORCH_LIBRARY(wild_rms_norm, m) { m.def("rms_norm(Tensor input, Tensor weight, float eps) -> Tensor"); }
TORCH_LIBRARY_IMPL(wild_rms_norm, CPU, m) { m.impl("rms_norm", &rms_norm_cpu); }
""",
    is_python_module=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return torch.ops.wild_rms_norm.rms_norm(x, self.weight, 1e-6)
