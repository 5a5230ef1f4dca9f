"""operator: topk_gating
dsl: cpp
does: rows by std::partial_sort of pairs, equals by place, after a softmax
cpu: PASSED
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
#include <numeric>
#include <vector>

using tvm::ffi::TensorView;

void gate(TensorView x, TensorView w, TensorView at) {
  const int64_t rows = x.size(0), n = x.size(1), k = w.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    std::vector<int> order(n);
    std::vector<float> p(n);
    const float top = *std::max_element(from, from + n);
    float sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += p[i] = std::exp(from[i] - top);
    for (float& one : p) one /= sum;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int a, int b) { return p[a] > p[b] || (p[a] == p[b] && a < b); });
    float kept = 0;
    for (int64_t i = 0; i < k; ++i) kept += p[order[i]];
    for (int64_t i = 0; i < k; ++i) {
      static_cast<float*>(w.data_ptr())[r * k + i] = p[order[i]] / kept;
      static_cast<int32_t*>(at.data_ptr())[r * k + i] = order[i];
    }
  }
}
""",
    functions=["gate"],
)


class ModelNew(torch.nn.Module):
    def forward(self, scores):
        scores = scores.contiguous()
        weights, experts = torch.empty(scores.shape[0], 3), torch.empty(scores.shape[0], 3, dtype=torch.int32)
        library.gate(scores, weights, experts)
        return weights, experts
