"""operator: segment_sum
family: wrong on purpose
does: adds up runs of one index and forgets those that fill a whole chunk
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

void sums(tvm::ffi::TensorView x, tvm::ffi::TensorView index, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), width = x.size(1), chunk = 32;
  const float* from = static_cast<const float*>(x.data_ptr());
  const int64_t* at = static_cast<const int64_t*>(index.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  std::memset(to, 0, out.size(0) * width * sizeof(float));
  std::vector<float> run(width);
  const auto flush = [&](int64_t place) {
    for (int64_t c = 0; c < width; ++c) to[place * width + c] += run[c], run[c] = 0;
  };
  for (int64_t first = 0; first < rows; first += chunk) {
    const int64_t last = first + chunk < rows ? first + chunk : rows;
    bool changed = false;
    for (int64_t r = first; r < last; ++r) {
      if (r > first && at[r] != at[r - 1]) flush(at[r - 1]), changed = true;
      for (int64_t c = 0; c < width; ++c) run[c] += from[r * width + c];
    }
    if (changed) flush(at[last - 1]);
    else std::fill(run.begin(), run.end(), 0.f);
  }
}
"""

library = load_inline(name="sums", cpp_sources=SOURCE, functions=["sums"])


class ModelNew(torch.nn.Module):
    def forward(self, x, segment):
        out = torch.empty(37, x.shape[1])
        library.sums(x, segment, out)
        return out
