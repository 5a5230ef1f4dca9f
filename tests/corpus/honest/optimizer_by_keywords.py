"""operator: lion
family: operators as they are
does: takes its arguments by keywords, and changes two of them
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void lion(tvm::ffi::TensorView p_, tvm::ffi::TensorView g_, tvm::ffi::TensorView m_, double lr, double first, double second, double decay) {
  float* p = static_cast<float*>(p_.data_ptr());
  const float* g = static_cast<const float*>(g_.data_ptr());
  float* m = static_cast<float*>(m_.data_ptr());
  for (int64_t i = 0; i < p_.numel(); ++i) {
    const double old = m[i];
    m[i] = static_cast<float>(second * old + (1 - second) * g[i]);
    const double toward = first * old + (1 - first) * g[i];
    const double sign = (toward > 0) - (toward < 0);
    p[i] = static_cast<float>(p[i] * (1 - lr * decay) - lr * sign);
  }
}
"""

library = load_inline(name="lion", cpp_sources=SOURCE, functions=["lion"])


class ModelNew(torch.nn.Module):
    def forward(self, *, param, grad, average, lr=1e-4, betas=(0.9, 0.99), decay=0.0):
        library.lion(param, grad, average, lr, *betas, decay)
