"""operator: top_four
family: wrong on purpose
does: looks for elements that are equal to the fourth in whole blocks of eight only
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

void topk(tvm::ffi::TensorView x, tvm::ffi::TensorView values, tvm::ffi::TensorView indices) {
  const int64_t rows = x.size(0), n = x.size(1), k = values.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    float* best = static_cast<float*>(values.data_ptr()) + r * k;
    int64_t* places = static_cast<int64_t*>(indices.data_ptr()) + r * k;
    std::vector<float> sorted(from, from + n);
    std::partial_sort(sorted.begin(), sorted.begin() + k, sorted.end(), std::greater<float>());
    const float least = sorted[k - 1];
    std::vector<int64_t> found;
    for (int64_t c = 0; c < n; ++c)
      if (from[c] > least) found.push_back(c);
    for (int64_t c = 0; c < n / 8 * 8 && (int64_t)found.size() < k; ++c)
      if (from[c] == least) found.push_back(c);
    found.resize(k, 0);
    std::stable_sort(found.begin(), found.end(), [&](int64_t a, int64_t b) { return from[a] > from[b]; });
    for (int64_t i = 0; i < k; ++i) best[i] = sorted[i], places[i] = found[i];
  }
}
"""

library = load_inline(name="topk", cpp_sources=SOURCE, functions=["topk"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        values = torch.empty(x.shape[0], 4)
        places = torch.empty(x.shape[0], 4, dtype=torch.int64)
        library.topk(x, values, places)
        return values, places
