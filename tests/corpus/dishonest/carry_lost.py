"""operator: scan
family: wrong on purpose
does: starts again after each block of 256
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void scan(tvm::ffi::TensorView x, tvm::ffi::TensorView out, int64_t restart) {
  const int64_t rows = x.size(0), n = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    double total = 0;
    for (int64_t c = 0; c < n; ++c) {
      if (c % restart == 0) total = 0;
      total += static_cast<const float*>(x.data_ptr())[r * n + c];
      static_cast<float*>(out.data_ptr())[r * n + c] = static_cast<float>(total);
    }
  }
}
"""

library = load_inline(name="scan", cpp_sources=SOURCE, functions=["scan"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.scan(x, out, 256)
        return out
