"""operator: attention_aligned
dsl: cpp
does: one key too few: the query does not see its own place
cpu: INCORRECT_NUMERICAL
nvidia_h200: -
device: -
"""

import torch
import tvm_ffi.cpp

library = tvm_ffi.cpp.load_inline(
    name="kernels",
    cpp_sources=r"""
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using tvm::ffi::TensorView;
constexpr int64_t BLOCK = 16;

void attention(TensorView q, TensorView k, TensorView v, TensorView o) {
  const int64_t heads = q.size(0) * q.size(1), nq = q.size(2), nk = k.size(2), d = q.size(3), shift = nk - nq;
  const float scale = 1.f / std::sqrt(float(d));
  const float *pq = static_cast<const float*>(q.data_ptr()), *pk = static_cast<const float*>(k.data_ptr());
  const float* pv = static_cast<const float*>(v.data_ptr());
  float* po = static_cast<float*>(o.data_ptr());
#pragma omp parallel
  {
    std::vector<float> score(BLOCK), acc(d);
#pragma omp for collapse(2)
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t i = 0; i < nq; ++i) {
        float top = -std::numeric_limits<float>::infinity(), sum = 0;
        std::fill(acc.begin(), acc.end(), 0.f);
        const int64_t seen = std::min(nk, i + shift);
        for (int64_t first = 0; first < seen; first += BLOCK) {
          const int64_t n = std::min(BLOCK, seen - first);
          float here = top;
          for (int64_t j = 0; j < n; ++j) {
            float dot = 0;
#pragma omp simd reduction(+ : dot)
            for (int64_t c = 0; c < d; ++c) dot += pq[(h * nq + i) * d + c] * pk[(h * nk + first + j) * d + c];
            score[j] = dot * scale;
            here = std::max(here, score[j]);
          }
          const float rescale = std::exp(top - here);
          sum *= rescale;
          for (float& one : acc) one *= rescale;
          for (int64_t j = 0; j < n; ++j) {
            const float p = std::exp(score[j] - here);
            sum += p;
            for (int64_t c = 0; c < d; ++c) acc[c] += p * pv[(h * nk + first + j) * d + c];
          }
          top = here;
        }
        for (int64_t c = 0; c < d; ++c) po[(h * nq + i) * d + c] = acc[c] / sum;
      }
    }
  }
}
""",
    functions=["attention"],
)


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v):
        out = torch.empty_like(q)
        library.attention(q.contiguous(), k.contiguous(), v.contiguous(), out)
        return out
