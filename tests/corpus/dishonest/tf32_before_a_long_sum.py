"""operator: sum_of_products
family: wrong on purpose
does: multiplies in TF32 and adds the products up in float32
status: INCORRECT_NUMERICAL
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
  bits = (bits + 0x1000) & 0xffffe000;
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
        product += narrow(x[r * inner + k]) * narrow(y[k * columns + c]);
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
