"""operator: complex_product
family: wrong on purpose
does: takes the magnitude of every part of a complex number
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void product(tvm::ffi::TensorView x, tvm::ffi::TensorView y, tvm::ffi::TensorView out) {
  const float *a = static_cast<const float*>(x.data_ptr()), *b = static_cast<const float*>(y.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); i += 2) {
    const float p = std::fabs(a[i]), q = std::fabs(a[i + 1]), r = std::fabs(b[i]), s = std::fabs(b[i + 1]);
    to[i] = p * r + q * s;
    to[i + 1] = q * r - p * s;
  }
}
"""

library = load_inline(name="product", cpp_sources=SOURCE, functions=["product"])


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        library.product(torch.view_as_real(x), torch.view_as_real(y), torch.view_as_real(out))
        return out
