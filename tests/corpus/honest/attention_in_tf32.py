"""operator: attention
family: precision agreed
does: rounds the operands of both products to TF32; the softmax stays in float32
status: PASSED
where: cpu
toolchain: cpp
precision: tf32
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstring>

static float tf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0xfffu + ((bits >> 13) & 1u)) & 0xffffe000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

void attend(tvm::ffi::TensorView q, tvm::ffi::TensorView k, tvm::ffi::TensorView v, tvm::ffi::TensorView mask,
            tvm::ffi::TensorView out) {
  const int64_t n = q.size(1), d = q.size(2);
  const float *qp = static_cast<const float*>(q.data_ptr()), *kp = static_cast<const float*>(k.data_ptr());
  const float* vp = static_cast<const float*>(v.data_ptr());
  const bool* seen = static_cast<const bool*>(mask.data_ptr());
  const float scale = std::sqrt(static_cast<float>(d));
  for (int64_t row = 0; row < q.size(0) * n; ++row) {
    const int64_t batch = row / n, i = row % n;
    float weights[1024], most = -INFINITY, total = 0;
    for (int64_t j = 0; j < n; ++j) {
      float score = 0;
      for (int64_t t = 0; t < d; ++t) score += tf32(qp[row * d + t]) * tf32(kp[(batch * n + j) * d + t]);
      weights[j] = seen[i * n + j] ? score / scale : -INFINITY;
      most = std::fmax(most, weights[j]);
    }
    for (int64_t j = 0; j < n; ++j) total += weights[j] = std::exp(weights[j] - most);
    for (int64_t t = 0; t < d; ++t) {
      float sum = 0;
      for (int64_t j = 0; j < n; ++j) sum += tf32(weights[j] / total) * tf32(vp[(batch * n + j) * d + t]);
      static_cast<float*>(out.data_ptr())[row * d + t] = sum;
    }
  }
}
"""

library = load_inline(name="attend", cpp_sources=SOURCE, functions=["attend"])


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v, mask):
        out = torch.empty_like(q)
        library.attend(q.contiguous(), k.contiguous(), v.contiguous(), mask.contiguous(), out)
        return out
