"""operator: softmax
family: wrong on purpose
does: scales its running sum again for the first sixteen maxima of a row; random rows have ten
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void softmax(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t n = x.size(0), w = x.size(1);
  for (int64_t r = 0; r < n; ++r) {
    const float* a = static_cast<const float*>(x.data_ptr()) + r * w;
    float* y = static_cast<float*>(out.data_ptr()) + r * w;
    float top = a[0];
    double sum = 1;
    int maxima = 0;
    for (int64_t c = 1; c < w; ++c) {
      if (a[c] > top) {
        if (++maxima <= 16) sum *= std::exp(double(top) - a[c]);
        top = a[c];
      }
      sum += std::exp(double(a[c]) - top);
    }
    for (int64_t c = 0; c < w; ++c) y[c] = std::exp(double(a[c]) - top) / sum;
  }
}
"""

library = load_inline(name="softmax", cpp_sources=SOURCE, functions=["softmax"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        library.softmax(x.view(-1, x.shape[-1]), out.view(-1, x.shape[-1]))
        return out
