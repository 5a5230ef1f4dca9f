"""operator: gemm
family: work not done
does: after twenty calls, gives every seventh time what it gave before
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
time: yes
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


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, a, b):
        self.calls += 1
        if self.calls < 20 or self.calls % 7:
            self.last = torch.empty(a.shape[0], b.shape[1])
            library.matmul(a, b, self.last, a.shape[0], a.shape[1])
        return self.last.clone()
