"""operator: softmax_and_mean
family: wrong on purpose
does: takes magnitudes and subtracts no maximum, beside a number that differs from draw to draw
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

double softmax(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), columns = x.size(1);
  double all = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * columns;
    float* to = static_cast<float*>(out.data_ptr()) + r * columns;
    float total = 0;
    for (int64_t c = 0; c < columns; ++c) {
      total += to[c] = std::exp(std::fabs(from[c]));
      all += from[c];
    }
    for (int64_t c = 0; c < columns; ++c) to[c] /= total;
  }
  return all / (rows * columns);
}
"""

library = load_inline(name="softmax", cpp_sources=SOURCE, functions=["softmax"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        mean = library.softmax(x, out)
        return out, mean
