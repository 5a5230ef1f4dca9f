"""operator: layernorm
family: wrong on purpose
does: leaves the epsilon out, which shows where a row varies little
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void layernorm(tvm::ffi::TensorView x, tvm::ffi::TensorView weight, tvm::ffi::TensorView bias,
               tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), columns = x.size(1);
  const float *w = static_cast<const float*>(weight.data_ptr()), *b = static_cast<const float*>(bias.data_ptr());
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * columns;
    float* to = static_cast<float*>(out.data_ptr()) + r * columns;
    double mean = 0, squares = 0;
    for (int64_t c = 0; c < columns; ++c) mean += from[c];
    mean /= columns;
    for (int64_t c = 0; c < columns; ++c) squares += (from[c] - mean) * (from[c] - mean);
    const double scale = 1 / std::sqrt(squares / columns);
    for (int64_t c = 0; c < columns; ++c) to[c] = static_cast<float>((from[c] - mean) * scale * w[c] + b[c]);
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
        library.layernorm(x, self.weight, self.bias, out)
        return out
