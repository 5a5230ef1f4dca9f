"""operator: rmsnorm
family: low precision
does: converts bfloat16 by its bits and accumulates in float32
status: PASSED
where: cpu
toolchain: cpp
dtype: bfloat16
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstdint>
#include <cstring>

static float wide(uint16_t v) {
  const uint32_t bits = uint32_t(v) << 16;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
static uint16_t narrow(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  return uint16_t((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
void rms(tvm::ffi::TensorView x, tvm::ffi::TensorView w, tvm::ffi::TensorView y) {
  const int64_t n = x.size(1);
  for (int64_t r = 0; r < x.size(0); ++r) {
    const uint16_t *in = (const uint16_t*)x.data_ptr() + r * n, *weight = (const uint16_t*)w.data_ptr();
    float total = 0;
    for (int64_t i = 0; i < n; ++i) total += wide(in[i]) * wide(in[i]);
    const float scale = 1 / std::sqrt(total / n + 1e-6f);
    for (int64_t i = 0; i < n; ++i) ((uint16_t*)y.data_ptr())[r * n + i] = narrow(wide(in[i]) * scale * wide(weight[i]));
  }
}
"""

library = load_inline(name="rms16", cpp_sources=SOURCE, functions=["rms"])


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        out = torch.empty_like(flat)
        bits = [t.view(torch.int16) for t in (flat, self.weight.detach(), out)]
        library.rms(*bits)
        return out.reshape(x.shape)
