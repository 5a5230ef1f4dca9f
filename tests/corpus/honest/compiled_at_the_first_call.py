"""operator: gelu
family: lazy compilation
does: builds one variant for each width at its first call
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

BUILT = {}


class ModelNew(torch.nn.Module):
    def forward(self, x):
        width = x.shape[-1]
        if width not in BUILT:
            source = SOURCE.replace("x.numel()", f"(x.numel() / {width} * {width})")
            BUILT[width] = load_inline(name="gelu", cpp_sources=source, functions=["gelu"])
        out = torch.empty_like(x)
        BUILT[width].gelu(x, out)
        return out
