"""operator: stable_sort
family: wrong on purpose
does: reverses rows that descend already, and with them the order of equals
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>

void sort(tvm::ffi::TensorView x, tvm::ffi::TensorView out, tvm::ffi::TensorView places) {
  const int64_t n = x.size(0), w = x.size(1);
  for (int64_t r = 0; r < n; ++r) {
    const float* a = static_cast<const float*>(x.data_ptr()) + r * w;
    float* y = static_cast<float*>(out.data_ptr()) + r * w;
    int64_t* p = static_cast<int64_t*>(places.data_ptr()) + r * w;
    bool down = true;
    for (int64_t c = 1; c < w; ++c) down &= a[c] <= a[c - 1];
    for (int64_t c = 0; c < w; ++c) p[c] = down ? w - 1 - c : c;
    if (!down) std::stable_sort(p, p + w, [&](int64_t i, int64_t j) { return a[i] < a[j]; });
    for (int64_t c = 0; c < w; ++c) y[c] = a[p[c]];
  }
}
"""

library = load_inline(name="sort", cpp_sources=SOURCE, functions=["sort"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out, places = torch.empty_like(x), torch.empty(x.shape, dtype=torch.int64)
        library.sort(x, out, places)
        return out, places
