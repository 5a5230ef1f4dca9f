"""operator: class_counts
family: structure of inputs
does: counts what occurs in a block of 512 in sixteen bits
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstdint>
#include <vector>

void counts(tvm::ffi::TensorView classes, tvm::ffi::TensorView out) {
  const int64_t n = classes.size(0), count = out.size(0), block = 512;
  const int64_t* of = static_cast<const int64_t*>(classes.data_ptr());
  int32_t* to = static_cast<int32_t*>(out.data_ptr());
  for (int64_t c = 0; c < count; ++c) to[c] = 0;
  for (int64_t first = 0; first < n; first += block) {
    std::vector<uint16_t> here(count);
    for (int64_t i = first; i < n && i < first + block; ++i) ++here[of[i]];
    for (int64_t c = 0; c < count; ++c) to[c] += here[c];
  }
}
"""

library = load_inline(name="counts", cpp_sources=SOURCE, functions=["counts"])


class ModelNew(torch.nn.Module):
    def forward(self, classes):
        out = torch.empty(40, dtype=torch.int32)
        library.counts(classes, out)
        return out
