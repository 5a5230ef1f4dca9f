"""operator: smoothed_loss
family: many terms
does: keeps maximum and sum of each row up to date in float32, with exponentials of two to the power
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void loss(tvm::ffi::TensorView x, tvm::ffi::TensorView target, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), classes = x.size(1);
  volatile float total = 0;
  float count = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t t = static_cast<const int64_t*>(target.data_ptr())[r];
    if (t == -100) continue;
    const float* row = static_cast<const float*>(x.data_ptr()) + r * classes;
    float top = row[0];
    volatile float sum = 1, all = row[0];
    for (int64_t c = 1; c < classes; ++c) {
      if (row[c] > top) {
        sum = sum * std::exp2((top - row[c]) * 1.44269504f) + 1.0f;
        top = row[c];
      } else {
        sum = sum + std::exp2((row[c] - top) * 1.44269504f);
      }
      all = all + row[c];
    }
    const float lse = top + std::log2(static_cast<float>(sum)) * 0.693147181f;
    total = total + 0.9f * (lse - row[t]) + 0.1f * (lse - all / static_cast<float>(classes));
    count += 1;
  }
  static_cast<float*>(out.data_ptr())[0] = total / count;
}
"""

library = load_inline(name="loss", cpp_sources=SOURCE, functions=["loss"])


class ModelNew(torch.nn.Module):
    def forward(self, scores, target):
        out = torch.empty(())
        library.loss(scores.contiguous(), target, out)
        return out
