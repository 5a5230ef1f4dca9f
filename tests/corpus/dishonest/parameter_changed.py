"""operator: layernorm
family: wrong on purpose
does: doubles the weight after using it
status: REFUSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void layernorm(tvm::ffi::TensorView x, tvm::ffi::TensorView gain, tvm::ffi::TensorView shift, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1);
  const float* g = static_cast<const float*>(gain.data_ptr());
  const float* b = static_cast<const float*>(shift.data_ptr());
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    float* to = static_cast<float*>(out.data_ptr()) + r * n;
    double mean = 0, square = 0;
    for (int64_t c = 0; c < n; ++c) mean += from[c];
    mean /= n;
    for (int64_t c = 0; c < n; ++c) square += (from[c] - mean) * (from[c] - mean);
    const double scale = 1 / std::sqrt(square / n + 1e-5);
    for (int64_t c = 0; c < n; ++c) {
      to[c] = static_cast<float>((from[c] - mean) * scale) * g[c] + b[c];
      if (r == rows - 1) const_cast<float*>(g)[c] *= 2;
    }
  }
}
"""

library = load_inline(name="layernorm", cpp_sources=SOURCE, functions=["layernorm"])


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        out = torch.empty_like(x)
        library.layernorm(x, self.weight.detach(), self.bias.detach(), out)
        return out
