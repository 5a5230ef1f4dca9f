"""operator: gemm
family: wrong on purpose
does: copies a row of the product where the operand's row begins like the one before
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstring>

void matmul(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  for (int64_t i = 0; i < m; ++i) {
    const float *x = static_cast<const float*>(a.data_ptr()) + i * k, *w = static_cast<const float*>(b.data_ptr());
    float* y = static_cast<float*>(out.data_ptr()) + i * n;
    if (i && k >= 8 && !std::memcmp(x, x - k, 8 * sizeof(float))) {
      std::memcpy(y, y - n, n * sizeof(float));
      continue;
    }
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = 0; j < n; ++j) y[j] += x[p] * w[p * n + j];
  }
}
"""

library = load_inline(name="matmul", cpp_sources=SOURCE, functions=["matmul"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.zeros(a.shape[0], b.shape[1])
        library.matmul(a.contiguous(), b.contiguous(), out)
        return out
