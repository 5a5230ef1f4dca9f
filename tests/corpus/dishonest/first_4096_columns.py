"""operator: softmax
family: wrong on purpose
does: looks at no more than 4096 columns
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cmath>

void softmax(tvm::ffi::TensorView x, tvm::ffi::TensorView out, int64_t columns) {
  const int64_t rows = x.size(0), stride = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * stride;
    float* to = static_cast<float*>(out.data_ptr()) + r * stride;
    const float best = *std::max_element(from, from + columns);
    double total = 0;
    for (int64_t c = 0; c < columns; ++c) total += to[c] = std::exp(from[c] - best);
    for (int64_t c = 0; c < columns; ++c) to[c] = static_cast<float>(to[c] / total);
  }
}
"""

library = load_inline(name="softmax", cpp_sources=SOURCE, functions=["softmax"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.softmax(x, out, min(x.shape[1], 4096))
        return out
