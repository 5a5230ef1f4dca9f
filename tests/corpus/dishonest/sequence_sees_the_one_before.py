"""operator: packed_attention
family: wrong on purpose
does: lets each sequence see the last token of the one before
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <vector>
void attend(tvm::ffi::TensorView q_, tvm::ffi::TensorView k_, tvm::ffi::TensorView v_, tvm::ffi::TensorView starts_, tvm::ffi::TensorView out_) {
  const float *q = static_cast<const float*>(q_.data_ptr()), *k = static_cast<const float*>(k_.data_ptr());
  const float* v = static_cast<const float*>(v_.data_ptr());
  const int64_t* starts = static_cast<const int64_t*>(starts_.data_ptr());
  float* out = static_cast<float*>(out_.data_ptr());
  const int64_t count = q_.size(0), width = q_.size(1), sequences = starts_.numel();
  std::vector<double> weight(count);
  for (int64_t s = 0; s < sequences; ++s) {
    const int64_t start = starts[s], end = s + 1 < sequences ? starts[s + 1] : count, from = start > 0 ? start - 1 : 0;
    for (int64_t i = start; i < end; ++i) {
      double top = -INFINITY, sum = 0;
      for (int64_t j = from; j <= i; ++j) {
        double dot = 0;
        for (int64_t w = 0; w < width; ++w) dot += static_cast<double>(q[i * width + w]) * k[j * width + w];
        weight[j] = dot / std::sqrt(static_cast<double>(width));
        top = weight[j] > top ? weight[j] : top;
      }
      for (int64_t j = from; j <= i; ++j) sum += weight[j] = std::exp(weight[j] - top);
      for (int64_t w = 0; w < width; ++w) {
        double total = 0;
        for (int64_t j = from; j <= i; ++j) total += weight[j] * v[j * width + w];
        out[i * width + w] = static_cast<float>(total / sum);
      }
    }
  }
}
"""

library = load_inline(name="attend", cpp_sources=SOURCE, functions=["attend"])


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v, starts):
        out = torch.empty_like(q)
        library.attend(q.contiguous(), k.contiguous(), v.contiguous(), starts.contiguous(), out)
        return out
