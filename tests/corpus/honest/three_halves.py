"""operator: long_matmul
family: unusual accumulation
does: splits operands into three bfloat16 parts and adds six products, as precise as float32
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstdint>
#include <cstring>
#include <vector>
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
      float large = 0, small = 0;
      for (int64_t k = 0; k < K; ++k) {
        const float x = A[i * K + k], y = B[k * N + j];
        const float x1 = cut(x), x2 = cut(x - x1), x3 = x - x1 - x2, y1 = cut(y), y2 = cut(y - y1), y3 = y - y1 - y2;
        large += x1 * y1;
        small += x1 * y2 + x2 * y1 + x2 * y2 + x1 * y3 + x3 * y1;
      }
      ((float*)out.data_ptr())[i * N + j] = large + small;
    }
}
"""

library = load_inline(name="mm", cpp_sources=SOURCE, functions=["mm"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        library.mm(a.contiguous(), b.contiguous(), out)
        return out
