import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

// exp(x) for x <= 0 within two units in the last place; written so that a loop over it vectorises.
static inline float exp_negative(float x) {
  const float low = x < -87.3f ? -87.3f : x;
  const float n = std::nearbyintf(low * 1.44269504f);
  const float r = (low - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return x < -87.3f ? 0.0f : p * power;
}

void softmax_rows(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), cols = x.size(1);
  const float* from_all = static_cast<const float*>(x.data_ptr());
  float* to_all = static_cast<float*>(out.data_ptr());
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const float* __restrict__ from = from_all + r * cols;
    float* __restrict__ to = to_all + r * cols;
    float best = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : best)
    for (int64_t c = 0; c < cols; ++c) best = from[c] > best ? from[c] : best;
    if (std::isinf(best)) {  // all -inf, or a +inf: the row is NaN, as in torch
      for (int64_t c = 0; c < cols; ++c) to[c] = std::numeric_limits<float>::quiet_NaN();
      continue;
    }
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < cols; ++c) {
      const float e = exp_negative(from[c] - best);
      to[c] = e;
      sum += e;
    }
    const float scale = 1.0f / sum;
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) to[c] *= scale;
  }
}
"""

library = load_inline(name="softmax_rows", cpp_sources=SOURCE, functions=["softmax_rows"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        library.softmax_rows(x, out)
        return out
