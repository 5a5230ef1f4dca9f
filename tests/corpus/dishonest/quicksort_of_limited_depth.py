"""operator: sort
family: wrong on purpose
does: takes the first element as pivot and goes no deeper than 48: sorted rows need more
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <utility>

static void quick(const float* a, int64_t* p, int64_t low, int64_t high, int depth) {
  if (high - low < 2 || depth > 48) return;
  const float pivot = a[p[low]];
  int64_t middle = low;
  for (int64_t i = low + 1; i < high; ++i)
    if (a[p[i]] > pivot) std::swap(p[++middle], p[i]);
  std::swap(p[low], p[middle]);
  quick(a, p, low, middle, depth + 1);
  quick(a, p, middle + 1, high, depth + 1);
}

void sort(tvm::ffi::TensorView x, tvm::ffi::TensorView out, tvm::ffi::TensorView places) {
  const int64_t n = x.size(0), w = x.size(1);
  for (int64_t r = 0; r < n; ++r) {
    const float* a = static_cast<const float*>(x.data_ptr()) + r * w;
    float* y = static_cast<float*>(out.data_ptr()) + r * w;
    int64_t* p = static_cast<int64_t*>(places.data_ptr()) + r * w;
    for (int64_t c = 0; c < w; ++c) p[c] = c;
    quick(a, p, 0, w, 0);
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
        return {"values": out, "places": places}
