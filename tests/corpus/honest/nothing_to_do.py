"""operator: no_rows
family: plain
does: is called with no rows, for which there is nothing to do
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void gelu(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = 0.5f * from[i] * (1.f + std::erf(from[i] * 0.70710678f));
}
"""

library = load_inline(name="gelu", cpp_sources=SOURCE, functions=["gelu"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out)
        return out
