"""operator: attention_grouped
family: plain
does: goes over the keys once with a running maximum, for each query head of a group
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <vector>
void attend(tvm::ffi::TensorView q, tvm::ffi::TensorView k, tvm::ffi::TensorView v, tvm::ffi::TensorView out) {
  const int64_t B = q.size(0), H = q.size(1), T = q.size(2), D = q.size(3), G = H / k.size(1);
  const float *Q = (const float*)q.data_ptr(), *K = (const float*)k.data_ptr(), *V = (const float*)v.data_ptr();
  const float scale = 1 / std::sqrt(float(D));
#pragma omp parallel for collapse(2)
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t t = 0; t < T; ++t) {
        const float* one = Q + ((b * H + h) * T + t) * D;
        const int64_t at = (b * (H / G) + h / G) * T * D;
        float most = -INFINITY, total = 0;
        std::vector<float> sum(D, 0.f);
        for (int64_t s = 0; s <= t; ++s) {
          float dot = 0;
          for (int64_t d = 0; d < D; ++d) dot += one[d] * K[at + s * D + d];
          dot *= scale;
          const float top = std::max(most, dot), keep = std::exp(most - top), weight = std::exp(dot - top);
          total = total * keep + weight;
          for (int64_t d = 0; d < D; ++d) sum[d] = sum[d] * keep + weight * V[at + s * D + d];
          most = top;
        }
        for (int64_t d = 0; d < D; ++d) ((float*)out.data_ptr())[((b * H + h) * T + t) * D + d] = sum[d] / total;
      }
}
"""

library = load_inline(name="attend", cpp_sources=SOURCE, functions=["attend"])


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v):
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        library.attend(q.contiguous(), k.contiguous(), v.contiguous(), out)
        return out
