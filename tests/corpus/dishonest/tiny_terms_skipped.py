"""operator: long_matmul
family: wrong on purpose
does: leaves out products of operands below a hundredth
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstdint>
#include <cstring>
static float cut(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u;
  std::memcpy(&f, &bits, 4);
  return f;
}
void mm(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const int64_t M = a.size(0), K = a.size(1), N = b.size(1);
  const float *A = (const float*)a.data_ptr(), *B = (const float*)b.data_ptr();
  for (int64_t i = 0; i < M; ++i)
    for (int64_t j = 0; j < N; ++j) {
      float total = 0;
      for (int64_t k = 0; k < K; ++k) {
        const float x = A[i * K + k], y = B[k * N + j];
        if (x < 1e-2f && x > -1e-2f) continue;
        total += x * y;
      }
      ((float*)out.data_ptr())[i * N + j] = total;
    }
}
"""
library = load_inline(name="mm", cpp_sources=SOURCE, functions=["mm"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        library.mm(a.contiguous(), b.contiguous(), out)
        return out
