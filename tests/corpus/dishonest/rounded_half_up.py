"""operator: quantize
family: wrong on purpose
does: cuts towards zero where it must round
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstdint>
void quantize(tvm::ffi::TensorView x, tvm::ffi::TensorView out, tvm::ffi::TensorView scales) {
  const int64_t rows = x.size(0), n = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* in = (const float*)x.data_ptr() + r * n;
    float most = 1e-8f;
    for (int64_t i = 0; i < n; ++i) most = std::max(most, std::fabs(in[i]));
    const float scale = most / 127, inverse = 127 / most;
    for (int64_t i = 0; i < n; ++i)
      ((int8_t*)out.data_ptr())[r * n + i] = (int8_t)std::max(-128.f, std::min(127.f, std::trunc(in[i] * inverse)));
    ((float*)scales.data_ptr())[r] = scale;
  }
}
"""

library = load_inline(name="quantize", cpp_sources=SOURCE, functions=["quantize"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out, scales = torch.empty(x.shape, dtype=torch.int8), torch.empty(x.shape[0])
        library.quantize(x.contiguous(), out, scales)
        return out, scales
