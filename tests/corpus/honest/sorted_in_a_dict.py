"""operator: sort
family: forms of results
does: gives a dict of values and places, of an unstable sort
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <numeric>
void sort(tvm::ffi::TensorView x, tvm::ffi::TensorView values, tvm::ffi::TensorView places) {
  const int64_t rows = x.size(0), n = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* in = (const float*)x.data_ptr() + r * n;
    float* out = (float*)values.data_ptr() + r * n;
    int64_t* at = (int64_t*)places.data_ptr() + r * n;
    std::iota(at, at + n, 0);
    std::sort(at, at + n, [=](int64_t a, int64_t b) { return in[a] > in[b]; });
    for (int64_t i = 0; i < n; ++i) out[i] = in[at[i]];
  }
}
"""

library = load_inline(name="sort", cpp_sources=SOURCE, functions=["sort"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        values, places = torch.empty_like(x), torch.empty(x.shape, dtype=torch.long)
        library.sort(x.contiguous(), values, places)
        return dict(values=values, places=places)
