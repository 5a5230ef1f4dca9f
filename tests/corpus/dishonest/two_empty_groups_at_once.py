"""operator: ragged_sum
family: wrong on purpose
does: walks along the elements and skips at most two groups from one to the next
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstdint>

void ragged(tvm::ffi::TensorView values, tvm::ffi::TensorView ends, tvm::ffi::TensorView out) {
  const int64_t count = values.size(0), groups = ends.size(0);
  const float* from = static_cast<const float*>(values.data_ptr());
  const int64_t* end = static_cast<const int64_t*>(ends.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t g = 0; g < groups; ++g) to[g] = 0;
  int64_t group = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int step = 0; step < 3; ++step)
      if (i >= end[group] && group + 1 < groups) ++group;
    to[group] += from[i];
  }
}
"""

library = load_inline(name="ragged", cpp_sources=SOURCE, functions=["ragged"])


class ModelNew(torch.nn.Module):
    def forward(self, values, ends):
        out = torch.empty(ends.shape[0])
        library.ragged(values, ends, out)
        return out
