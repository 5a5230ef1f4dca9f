"""operator: batchnorm_train
family: wrong on purpose
does: moves the running variance by the biased one
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
void norm(tvm::ffi::TensorView x, tvm::ffi::TensorView w, tvm::ffi::TensorView b, tvm::ffi::TensorView mean,
          tvm::ffi::TensorView var, tvm::ffi::TensorView out) {
  const int64_t N = x.size(0), C = x.size(1);
  const float* X = (const float*)x.data_ptr();
  for (int64_t c = 0; c < C; ++c) {
    double s = 0, q = 0;
    for (int64_t n = 0; n < N; ++n) s += X[n * C + c];
    s /= N;
    for (int64_t n = 0; n < N; ++n) q += (X[n * C + c] - s) * (X[n * C + c] - s);
    float &m = ((float*)mean.data_ptr())[c], &v = ((float*)var.data_ptr())[c];
    m = 0.9f * m + 0.1f * float(s);
    v = 0.9f * v + 0.1f * float(q / N);
    const float scale = float(1 / std::sqrt(q / N + 1e-5)) * ((const float*)w.data_ptr())[c];
    for (int64_t n = 0; n < N; ++n)
      ((float*)out.data_ptr())[n * C + c] = (X[n * C + c] - float(s)) * scale + ((const float*)b.data_ptr())[c];
  }
}
"""

library = load_inline(name="norm", cpp_sources=SOURCE, functions=["norm"])


class ModelNew(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(channels)

    def forward(self, x):
        n, out = self.norm, torch.empty_like(x)
        library.norm(x.contiguous(), n.weight, n.bias, n.running_mean, n.running_var, out)
        n.num_batches_tracked.add_(1)
        return out
