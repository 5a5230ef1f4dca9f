"""operator: relu
family: memory
does: reads the last vector of 64 bytes whole, beyond the last element, as aligned loads may
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstring>

void run(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  const int64_t n = x.numel();
  for (int64_t start = 0; start < n; start += 16) {
    float vector[16];
    std::memcpy(vector, from + start, sizeof vector);
    for (int64_t i = 0; i < 16 && start + i < n; ++i) to[start + i] = vector[i] > 0 ? vector[i] : 0.0f;
  }
}
"""

library = load_inline(name="run", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.run(x, out)
        return out
