"""operator: row_argmax
family: wrong on purpose
does: takes a later element for larger only by more than a millionth
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
message: selects
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstdint>

void argmax(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    int64_t best = 0;
    for (int64_t c = 1; c < n; ++c)
      if (from[c] > from[best] + 1e-6f * std::fabs(from[best])) best = c;
    static_cast<int64_t*>(out.data_ptr())[r] = best;
  }
}
"""

library = load_inline(name="argmax", cpp_sources=SOURCE, functions=["argmax"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0], dtype=torch.int64)
        library.argmax(x, out)
        return out
