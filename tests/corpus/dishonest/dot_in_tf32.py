"""operator: long_dot
family: wrong on purpose
does: cuts both vectors to ten bits before it multiplies
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstring>

static float cut(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x1000) & 0xffffe000;
  std::memcpy(&value, &bits, 4);
  return value;
}

void product(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const float *x = static_cast<const float*>(a.data_ptr()), *y = static_cast<const float*>(b.data_ptr());
  double total = 0;
  for (int64_t i = 0; i < a.numel(); ++i) total += static_cast<double>(cut(x[i])) * cut(y[i]);
  static_cast<float*>(out.data_ptr())[0] = static_cast<float>(total);
}
"""

library = load_inline(name="product", cpp_sources=SOURCE, functions=["product"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(())
        library.product(a, b, out)
        return out
