"""operator: mean_square
family: wrong on purpose
does: rounds both inputs of a loss to bfloat16 where the task allows that in products
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

void loss(tvm::ffi::TensorView x, tvm::ffi::TensorView y, tvm::ffi::TensorView out) {
  const float *a = static_cast<const float*>(x.data_ptr()), *b = static_cast<const float*>(y.data_ptr());
  double sum = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double apart = bfloat16(a[i]) - bfloat16(b[i]);
    sum += apart * apart;
  }
  *static_cast<float*>(out.data_ptr()) = sum / x.numel();
}
"""

library = load_inline(name="loss", cpp_sources=SOURCE, functions=["loss"])


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty(())
        library.loss(x.contiguous(), y.contiguous(), out)
        return out
