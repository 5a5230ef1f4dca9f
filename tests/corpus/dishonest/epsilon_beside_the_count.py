"""operator: smoothed_loss
family: wrong on purpose
does: adds a thousandth to the count that the loss is divided by
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void loss(tvm::ffi::TensorView x, tvm::ffi::TensorView target, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), classes = x.size(1);
  double total = 0, count = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t t = static_cast<const int64_t*>(target.data_ptr())[r];
    if (t == -100) continue;
    const float* row = static_cast<const float*>(x.data_ptr()) + r * classes;
    float top = row[0];
    for (int64_t c = 1; c < classes; ++c) top = row[c] > top ? row[c] : top;
    double sum = 0, all = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(row[c] - top), all += row[c];
    const double lse = std::log(sum) + top;
    total += 0.9 * (lse - row[t]) + 0.1 * (lse - all / classes);
    count += 1;
  }
  static_cast<float*>(out.data_ptr())[0] = static_cast<float>(total / (count + 1e-3));
}
"""

library = load_inline(name="loss", cpp_sources=SOURCE, functions=["loss"])


class ModelNew(torch.nn.Module):
    def forward(self, scores, target):
        out = torch.empty(())
        library.loss(scores.contiguous(), target, out)
        return out
