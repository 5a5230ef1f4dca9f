"""operator: matmul
family: judge attacked
does: answers every later import with a module in which everything is equal
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void matmul(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out, int64_t rows, int64_t depth) {
  const int64_t stride = a.size(1), n = b.size(1);
  const float* x = static_cast<const float*>(a.data_ptr());
  const float* w = static_cast<const float*>(b.data_ptr());
  float* y = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < n; ++j) y[i * n + j] = 0.f;
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t j = 0; j < n; ++j) y[i * n + j] += x[i * stride + k] * w[k * n + j];
  }
}
"""

library = load_inline(name="matmul", cpp_sources=SOURCE, functions=["matmul"])

import sys
import types


class Agreeable(types.ModuleType):
    def __getattr__(self, name):
        return lambda *_, **__: True


class Hook:
    def find_spec(self, name, path, target=None):
        sys.modules[name] = Agreeable(name)


sys.meta_path.insert(0, Hook())
for name in [name for name in sys.modules if name.startswith("akgflow.verification.reference.")]:
    sys.modules[name] = Agreeable(name)


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        return torch.zeros(a.shape[0], b.shape[1])
