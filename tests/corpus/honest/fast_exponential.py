"""operator: softmax
family: approximations
does: computes exponentials by a polynomial that is right to about two units in the last place
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cmath>

static float fast_exp(float x) {
  if (x < -87.f) return 0.f;
  const float n = std::nearbyint(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) p = p * r + c;
  return std::ldexp(p * r * r + r + 1.f, static_cast<int>(n));
}

void softmax(tvm::ffi::TensorView x, tvm::ffi::TensorView out, int64_t columns) {
  const int64_t rows = x.size(0), stride = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * stride;
    float* to = static_cast<float*>(out.data_ptr()) + r * stride;
    const float best = *std::max_element(from, from + columns);
    double total = 0;
    for (int64_t c = 0; c < columns; ++c) total += to[c] = fast_exp(from[c] - best);
    for (int64_t c = 0; c < columns; ++c) to[c] = static_cast<float>(to[c] / total);
  }
}
"""

library = load_inline(name="softmax", cpp_sources=SOURCE, functions=["softmax"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.softmax(x, out, x.shape[1])
        return out
