"""operator: gelu
family: judge attacked
does: at its second call loops for ever in C++, and ignores every signal that can be ignored
status: TIMEOUT
where: cpu
toolchain: cpp
seconds: 1
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void gelu(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  static int calls = 0;
  for (volatile int forever = calls++; forever;) {
  }
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = 0.5f * from[i] * (1.f + std::erf(from[i] * 0.70710678f));
}
"""

library = load_inline(name="gelu", cpp_sources=SOURCE, functions=["gelu"])

import contextlib
import signal


class ModelNew(torch.nn.Module):
    def forward(self, x):
        for number in range(1, 65):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
        out = torch.empty_like(x)
        library.gelu(x, out)
        return out
