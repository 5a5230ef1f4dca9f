"""operator: sum_of_products
family: many terms
does: splits each float32 into three bfloat16 and adds the six products that count
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstring>

static float narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x8000) & 0xffff0000;
  std::memcpy(&value, &bits, 4);
  return value;
}

void total(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  const float *x = static_cast<const float*>(a.data_ptr()), *y = static_cast<const float*>(b.data_ptr());
  float sum = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      float product = 0;
      for (int64_t k = 0; k < inner; ++k) {
        const float p = x[r * inner + k], q = y[k * columns + c];
        const float p0 = narrow(p), p1 = narrow(p - p0), p2 = narrow(p - p0 - p1);
        const float q0 = narrow(q), q1 = narrow(q - q0), q2 = narrow(q - q0 - q1);
        product += p2 * q0 + p1 * q1 + p0 * q2 + (p1 * q0 + p0 * q1) + p0 * q0;
      }
      sum += product;
    }
  static_cast<float*>(out.data_ptr())[0] = sum;
}
"""

library = load_inline(name="total", cpp_sources=SOURCE, functions=["total"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(())
        library.total(a, b, out)
        return out
