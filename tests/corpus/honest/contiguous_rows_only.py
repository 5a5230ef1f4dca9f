"""operator: sized_softmax
family: any layout
does: takes contiguous rows only, and says so where a task asks for no more
status: PASSED
where: cpu
toolchain: cpp
message: takes contiguous inputs only (it refuses
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cmath>

void soft(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1), down = n, right = 1;
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * down;
    float* to = static_cast<float*>(out.data_ptr()) + r * n;
    float most = from[0];
    for (int64_t c = 1; c < n; ++c) most = std::max(most, from[c * right]);
    double total = 0;
    for (int64_t c = 0; c < n; ++c) total += to[c] = std::exp(from[c * right] - most);
    for (int64_t c = 0; c < n; ++c) to[c] = static_cast<float>(to[c] / total);
  }
}
"""

library = load_inline(name="soft", cpp_sources=SOURCE, functions=["soft"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        if not x.is_contiguous():
            raise ValueError("rows must be contiguous")
        out = torch.empty(x.shape)
        library.soft(x, out)
        return out
