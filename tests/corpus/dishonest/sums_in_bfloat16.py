"""operator: matmul
family: wrong on purpose
does: adds products up in bfloat16 where the task allows bfloat16 operands
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
precision: compute=bf16
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstring>

static float bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

void product(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const int64_t rows = a.size(0), depth = a.size(1), columns = b.size(1);
  const float *x = static_cast<const float*>(a.data_ptr()), *y = static_cast<const float*>(b.data_ptr());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < depth; ++k) sum = bfloat16(sum + bfloat16(x[i * depth + k]) * bfloat16(y[k * columns + j]));
      static_cast<float*>(out.data_ptr())[i * columns + j] = sum;
    }
}
"""

library = load_inline(name="product", cpp_sources=SOURCE, functions=["product"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        library.product(a.contiguous(), b.contiguous(), out)
        return out
