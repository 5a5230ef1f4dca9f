"""operator: tanh
family: plain
does: takes the exponential of what is negative only, which cannot overflow
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void run(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) {
    const float e = std::expm1(-2 * std::fabs(from[i]));
    to[i] = std::copysign(-e / (2 + e), from[i]);
  }
}
"""

library = load_inline(name="run", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.run(x, out)
        return out
