import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstdint>

void layernorm(tvm::ffi::TensorView x, tvm::ffi::TensorView weight, tvm::ffi::TensorView bias,
               tvm::ffi::TensorView out, double eps) {
  const int64_t rows = x.size(0), cols = x.size(1);
  const float* from_all = static_cast<const float*>(x.data_ptr());
  const float* __restrict__ w = static_cast<const float*>(weight.data_ptr());
  const float* __restrict__ b = static_cast<const float*>(bias.data_ptr());
  float* to_all = static_cast<float*>(out.data_ptr());
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const float* __restrict__ from = from_all + r * cols;
    float* __restrict__ to = to_all + r * cols;
    double total = 0.0;
#pragma omp simd reduction(+ : total)
    for (int64_t c = 0; c < cols; ++c) total += from[c];
    const float mean = static_cast<float>(total / cols);
    double squares = 0.0;
#pragma omp simd reduction(+ : squares)
    for (int64_t c = 0; c < cols; ++c) {
      const float off = from[c] - mean;
      squares += static_cast<double>(off * off);
    }
    const float scale = static_cast<float>(1.0 / std::sqrt(squares / cols + eps));
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) to[c] = (from[c] - mean) * scale * w[c] + b[c];
  }
}
"""

library = load_inline(name="layernorm", cpp_sources=SOURCE, functions=["layernorm"])


class ModelNew(torch.nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(cols))
        self.bias = torch.nn.Parameter(torch.zeros(cols))

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        library.layernorm(x, self.weight.detach(), self.bias.detach(), out, 1e-5)
        return out
