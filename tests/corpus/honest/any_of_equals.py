"""operator: topk
family: ties
does: takes any of equal elements, as a heap happens to leave them
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <numeric>
#include <vector>

void topk(tvm::ffi::TensorView x, tvm::ffi::TensorView values, tvm::ffi::TensorView indices) {
  const int64_t rows = x.size(0), n = x.size(1), k = values.size(1);
  std::vector<int64_t> order(n);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) { return from[a] > from[b]; });
    for (int64_t i = 0; i < k; ++i) {
      static_cast<float*>(values.data_ptr())[r * k + i] = from[order[i]];
      static_cast<int64_t*>(indices.data_ptr())[r * k + i] = order[i];
    }
  }
}
"""

library = load_inline(name="topk", cpp_sources=SOURCE, functions=["topk"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        values = torch.empty(x.shape[0], 5)
        indices = torch.empty(x.shape[0], 5, dtype=torch.int64)
        library.topk(x, values, indices)
        return values, indices
