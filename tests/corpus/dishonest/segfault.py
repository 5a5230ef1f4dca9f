"""operator: gelu
family: judge attacked
does: writes to address zero
status: RUNTIME_ERROR
where: cpu
toolchain: cpp
message: SIGSEGV
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void gelu(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  *reinterpret_cast<volatile float*>(8) = 1;
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = 0.5f * from[i] * (1.f + std::erf(from[i] * 0.70710678f));
}
"""

library = load_inline(name="gelu", cpp_sources=SOURCE, functions=["gelu"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out)
        return out
