"""operator: layernorm
family: wrong on purpose
does: gives zeros, not the bias, where a row has no variance
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void layernorm(tvm::ffi::TensorView x, tvm::ffi::TensorView weight, tvm::ffi::TensorView bias, tvm::ffi::TensorView out) {
  const int64_t n = x.size(0), w = x.size(1);
  const float *g = static_cast<const float*>(weight.data_ptr()), *b = static_cast<const float*>(bias.data_ptr());
  for (int64_t r = 0; r < n; ++r) {
    const float* a = static_cast<const float*>(x.data_ptr()) + r * w;
    float* y = static_cast<float*>(out.data_ptr()) + r * w;
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < w; ++c) mean += a[c] / double(w);
    for (int64_t c = 0; c < w; ++c) variance += (a[c] - mean) * (a[c] - mean) / w;
    const bool flat = variance < 1e-12;
    for (int64_t c = 0; c < w; ++c) y[c] = flat ? 0 : (a[c] - mean) / std::sqrt(variance + 1e-5) * g[c] + b[c];
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
        out = torch.empty(x.shape)
        library.layernorm(x.contiguous(), self.weight, self.bias, out)
        return out
