"""operator: row_norm
family: many terms
does: adds squares in a tree, as threads of a block do
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <vector>

void rows(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t n = x.size(1);
  std::vector<float> part(n);
  for (int64_t r = 0; r < x.size(0); ++r) {
    const float* row = static_cast<const float*>(x.data_ptr()) + r * n;
    for (int64_t c = 0; c < n; ++c) part[c] = row[c] * row[c];
    for (int64_t left = n; left > 1; left = (left + 1) / 2)
      for (int64_t c = 0; c < left / 2; ++c) part[c] += part[left - 1 - c];
    static_cast<float*>(out.data_ptr())[r] = std::sqrt(part[0]);
  }
}
"""

library = load_inline(name="rows", cpp_sources=SOURCE, functions=["rows"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0])
        library.rows(x, out)
        return out
