"""operator: softmax_with_a_tail
family: structure of inputs
does: scales the sum again wherever the maximum rises
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cmath>
#include <cstdint>

void softmax(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1), whole = n / 8 * 8;
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    float* to = static_cast<float*>(out.data_ptr()) + r * n;
    float most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < whole; c += 8) {
      const float here = std::max(most, *std::max_element(from + c, from + c + 8));
      sum *= std::exp(most - here);
      most = here;
      for (int64_t i = 0; i < 8; ++i) sum += std::exp(from[c + i] - most);
    }
    for (int64_t c = whole; c < n; ++c) {
      const float here = std::max(most, from[c]);
      sum *= std::exp(most - here);
      sum += std::exp(from[c] - here);
      most = here;
    }
    for (int64_t c = 0; c < n; ++c) to[c] = std::exp(from[c] - most) / sum;
  }
}
"""

library = load_inline(name="softmax", cpp_sources=SOURCE, functions=["softmax"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.softmax(x, out)
        return out
