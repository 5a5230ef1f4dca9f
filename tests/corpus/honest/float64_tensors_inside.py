"""operator: layernorm
family: closer than the framework
does: widens its input to a float64 tensor and hands a float32 one back
status: PASSED
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
    const double* from = static_cast<const double*>(x.data_ptr()) + r * n;
    double* to = static_cast<double*>(out.data_ptr()) + r * n;
    double mean = 0, square = 0;
    for (int64_t c = 0; c < n; ++c) mean += from[c];
    mean /= n;
    for (int64_t c = 0; c < n; ++c) square += (from[c] - mean) * (from[c] - mean);
    const double scale = 1 / std::sqrt(square / n + 1e-5);
    for (int64_t c = 0; c < n; ++c) to[c] = (from[c] - mean) * scale * g[c] + b[c];
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
        wide = torch.empty(x.shape, dtype=torch.float64)
        wide.copy_(x)
        out = torch.empty_like(wide)
        library.layernorm(wide, self.weight.detach(), self.bias.detach(), out)
        return out.to(x.dtype)
