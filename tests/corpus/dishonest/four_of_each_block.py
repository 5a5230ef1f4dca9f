"""operator: topk
family: wrong on purpose
does: takes four candidates from each block of forty: seldom are all five in one
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <vector>

void topk(tvm::ffi::TensorView x, tvm::ffi::TensorView out, tvm::ffi::TensorView places) {
  const int64_t n = x.size(0), w = x.size(1);
  for (int64_t r = 0; r < n; ++r) {
    const float* a = static_cast<const float*>(x.data_ptr()) + r * w;
    auto larger = [&](int64_t i, int64_t j) { return a[i] > a[j]; };
    std::vector<int64_t> all;
    for (int64_t b = 0; b < w; b += 40) {
      std::vector<int64_t> block;
      for (int64_t c = b; c < std::min(w, b + 40); ++c) block.push_back(c);
      std::stable_sort(block.begin(), block.end(), larger);
      all.insert(all.end(), block.begin(), block.begin() + std::min<size_t>(4, block.size()));
    }
    std::stable_sort(all.begin(), all.end(), larger);
    for (int k = 0; k < 5; ++k) {
      static_cast<float*>(out.data_ptr())[r * 5 + k] = a[all[k]];
      static_cast<int64_t*>(places.data_ptr())[r * 5 + k] = all[k];
    }
  }
}
"""

library = load_inline(name="topk", cpp_sources=SOURCE, functions=["topk"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out, places = torch.empty(x.shape[0], 5), torch.empty(x.shape[0], 5, dtype=torch.int64)
        library.topk(x.contiguous(), out, places)
        return out, places
