"""operator: attention
family: masked -inf
does: never reads hidden keys, and writes NaN where nothing is left
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <limits>
#include <vector>

void attention(tvm::ffi::TensorView q, tvm::ffi::TensorView k, tvm::ffi::TensorView v, tvm::ffi::TensorView mask,
               tvm::ffi::TensorView out, double masked) {
  const int64_t heads = q.size(0), n = q.size(1), d = q.size(2);
  const float *qp = static_cast<const float*>(q.data_ptr()), *kp = static_cast<const float*>(k.data_ptr());
  const float* vp = static_cast<const float*>(v.data_ptr());
  const bool* mp = static_cast<const bool*>(mask.data_ptr());
  float* op = static_cast<float*>(out.data_ptr());
  std::vector<float> weight(n);
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < n; ++i) {
      float best = -std::numeric_limits<float>::infinity(), total = 0;
      for (int64_t j = 0; j < n; ++j) {
        float dot = 0;
        for (int64_t c = 0; c < d; ++c) dot += qp[(h * n + i) * d + c] * kp[(h * n + j) * d + c];
        weight[j] = mp[i * n + j] ? dot / std::sqrt(float(d)) : static_cast<float>(masked);
        best = std::fmax(best, weight[j]);
      }
      for (int64_t j = 0; j < n; ++j) total += weight[j] = std::exp(weight[j] - best);
      for (int64_t c = 0; c < d; ++c) {
        float sum = 0;
        for (int64_t j = 0; j < n; ++j) if (mp[i * n + j] || total != total) sum += weight[j] * vp[(h * n + j) * d + c];
        op[(h * n + i) * d + c] = sum / total;
      }
    }
}
"""

library = load_inline(name="attention", cpp_sources=SOURCE, functions=["attention"])


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v, mask):
        out = torch.empty_like(q)
        library.attention(q, k, v, mask, out, float("-inf"))
        return out
