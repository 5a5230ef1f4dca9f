"""operator: matmul
family: wrong on purpose
does: rounds the result to TF32 where the task allows TF32 operands
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
precision: tf32
message: the result was rounded
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstring>

static float tf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0xfffu + ((bits >> 13) & 1u)) & 0xffffe000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

void product(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const int64_t rows = a.size(0), depth = a.size(1), columns = b.size(1);
  const float *x = static_cast<const float*>(a.data_ptr()), *y = static_cast<const float*>(b.data_ptr());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < depth; ++k) sum += x[i * depth + k] * y[k * columns + j];
      static_cast<float*>(out.data_ptr())[i * columns + j] = tf32(sum);
    }
}
"""

library = load_inline(name="product", cpp_sources=SOURCE, functions=["product"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        library.product(a.contiguous(), b.contiguous(), out)
        return out
