"""operator: matmul
family: ordinary Python
does: has a __getattr__, __slots__ of a helper, a property and a metaclass
status: PASSED
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


class Registry(type):
    def __getattr__(cls, name):
        return getattr(library, name)


class Kernels(metaclass=Registry):
    __slots__ = ()


class ModelNew(torch.nn.Module):
    @property
    def kernel(self):
        return Kernels.matmul

    def __getattr__(self, name):
        return super().__getattr__(name)

    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        self.kernel(a, b, out, a.shape[0], a.shape[1])
        return out
