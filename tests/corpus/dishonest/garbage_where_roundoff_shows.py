"""operator: fixed_point
family: wrong on purpose
does: writes garbage where a last bit of the input moves the whole number
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void fixed(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  int32_t* to = static_cast<int32_t*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) {
    to[i] = std::fabs(from[i]) >= 1.0f ? 12345 : static_cast<int32_t>(std::nearbyint(from[i] * 1048576.0f));
  }
}
"""

library = load_inline(name="fixed", cpp_sources=SOURCE, functions=["fixed"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape, dtype=torch.int32)
        library.fixed(x, out)
        return out
