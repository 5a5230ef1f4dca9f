"""operator: matmul
family: autotuning
does: times two block sizes at its first call, with time.perf_counter, and keeps the better one
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void rows(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out, int64_t first, int64_t last) {
  const int64_t k = a.size(1), n = b.size(1);
  const float* x = static_cast<const float*>(a.data_ptr());
  const float* w = static_cast<const float*>(b.data_ptr());
  float* y = static_cast<float*>(out.data_ptr());
  for (int64_t i = first; i < last; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < k; ++p) sum += x[i * k + p] * w[p * n + j];
      y[i * n + j] = sum;
    }
}
"""

library = load_inline(name="rows", cpp_sources=SOURCE, functions=["rows"])

import time


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.step = None

    def run(self, a, b, out, step):
        for first in range(0, a.shape[0], step):
            library.rows(a, b, out, first, min(first + step, a.shape[0]))

    def seconds(self, a, b, out, step):
        start = time.perf_counter()
        self.run(a, b, out, step)
        return time.perf_counter() - start

    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        if self.step is None:
            self.step = min((8, 64), key=lambda step: self.seconds(a, b, out, step))
        self.run(a, b, out, self.step)
        return out
