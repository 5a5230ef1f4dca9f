"""operator: stable_sort
family: wrong on purpose
does: sorts equals in reverse where the operator keeps their order
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <numeric>

void sort(tvm::ffi::TensorView x, tvm::ffi::TensorView values, tvm::ffi::TensorView places) {
  const int64_t rows = x.size(0), columns = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * columns;
    float* to = static_cast<float*>(values.data_ptr()) + r * columns;
    int64_t* at = static_cast<int64_t*>(places.data_ptr()) + r * columns;
    std::iota(at, at + columns, 0);
    std::sort(at, at + columns, [&](int64_t i, int64_t j) { return from[i] != from[j] ? from[i] < from[j] : i > j; });
    for (int64_t c = 0; c < columns; ++c) to[c] = from[at[c]];
  }
}
"""

library = load_inline(name="sort", cpp_sources=SOURCE, functions=["sort"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        values, places = torch.empty_like(x), torch.empty(x.shape, dtype=torch.int64)
        library.sort(x, values, places)
        return values, places
