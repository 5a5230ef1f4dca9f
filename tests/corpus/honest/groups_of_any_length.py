"""operator: ragged_softmax
family: operators as they are
does: goes through groups of different lengths, empty ones too
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
void ragged(tvm::ffi::TensorView x_, tvm::ffi::TensorView ends_, tvm::ffi::TensorView out_) {
  const float* x = static_cast<const float*>(x_.data_ptr());
  const int64_t* ends = static_cast<const int64_t*>(ends_.data_ptr());
  float* out = static_cast<float*>(out_.data_ptr());
  for (int64_t g = 0; g < ends_.numel(); ++g) {
    const int64_t start = g ? ends[g - 1] : 0, end = ends[g];
    if (start == end) continue;
    double top = x[start], sum = 0;
    for (int64_t i = start; i < end; ++i) top = x[i] > top ? x[i] : top;
    for (int64_t i = start; i < end; ++i) sum += std::exp(x[i] - top);
    for (int64_t i = start; i < end; ++i) out[i] = static_cast<float>(std::exp(x[i] - top) / sum);
  }
}
"""

library = load_inline(name="ragged", cpp_sources=SOURCE, functions=["ragged"])


class ModelNew(torch.nn.Module):
    def forward(self, values, ends):
        out = torch.empty_like(values)
        library.ragged(values.contiguous(), ends.contiguous(), out)
        return out
