"""operator: stable_sort
family: worker threads
does: sorts by the bits of the numbers, eight at a time
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <array>
#include <cstring>
#include <utility>
#include <vector>

void sort(tvm::ffi::TensorView x, tvm::ffi::TensorView values, tvm::ffi::TensorView places) {
  const int64_t rows = x.size(0), columns = x.size(1);
  std::vector<std::pair<uint32_t, int64_t>> keys(columns), other(columns);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * columns;
    for (int64_t c = 0; c < columns; ++c) {
      const float value = from[c] == 0.0f ? 0.0f : from[c];
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      keys[c] = {bits >> 31 ? ~bits : bits | 0x80000000u, c};
    }
    for (int shift = 0; shift < 32; shift += 8) {
      std::array<int64_t, 257> starts{};
      for (const auto& key : keys) ++starts[((key.first >> shift) & 255) + 1];
      for (int i = 0; i < 256; ++i) starts[i + 1] += starts[i];
      for (const auto& key : keys) other[starts[(key.first >> shift) & 255]++] = key;
      keys.swap(other);
    }
    for (int64_t c = 0; c < columns; ++c) {
      static_cast<float*>(values.data_ptr())[r * columns + c] = from[keys[c].second];
      static_cast<int64_t*>(places.data_ptr())[r * columns + c] = keys[c].second;
    }
  }
}
"""

library = load_inline(name="sort", cpp_sources=SOURCE, functions=["sort"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        values, places = torch.empty_like(x), torch.empty(x.shape, dtype=torch.int64)
        library.sort(x, values, places)
        return values, places
