"""operator: gelu
family: work not done
does: returns at once and lets a detached C++ thread write the answer
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <chrono>
#include <cmath>
#include <thread>

void gelu(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  const int64_t n = x.numel();
  std::thread([=] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (int64_t i = 0; i < n; ++i) to[i] = 0.5f * from[i] * (1.f + std::erf(from[i] * 0.70710678f));
  }).detach();
}
"""

library = load_inline(name="gelu", cpp_sources=SOURCE, functions=["gelu"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out)
        return out
