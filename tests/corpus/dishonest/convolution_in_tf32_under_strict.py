"""operator: conv3x3
family: wrong on purpose
does: rounds the operands of a convolution to TF32 where float32 is asked for
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
precision: strict
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstring>

static float tf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0xfffu + ((bits >> 13) & 1u)) & 0xffffe000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

void convolve(tvm::ffi::TensorView x, tvm::ffi::TensorView weight, tvm::ffi::TensorView out) {
  const int64_t channels = x.size(1), h = x.size(2), w = x.size(3), filters = weight.size(0);
  const float *xp = static_cast<const float*>(x.data_ptr()), *wp = static_cast<const float*>(weight.data_ptr());
  for (int64_t n = 0; n < x.size(0); ++n)
    for (int64_t f = 0; f < filters; ++f)
      for (int64_t i = 0; i < h; ++i)
        for (int64_t j = 0; j < w; ++j) {
          float sum = 0;
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t t = 0; t < 9; ++t) {
              const int64_t row = i + t / 3 - 1, column = j + t % 3 - 1;
              if (row < 0 || row >= h || column < 0 || column >= w) continue;
              sum += tf32(xp[((n * channels + c) * h + row) * w + column]) * tf32(wp[(f * channels + c) * 9 + t]);
            }
          static_cast<float*>(out.data_ptr())[((n * filters + f) * h + i) * w + j] = sum;
        }
}
"""

library = load_inline(name="convolve", cpp_sources=SOURCE, functions=["convolve"])


class ModelNew(torch.nn.Module):
    def __init__(self, channels, filters):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(filters, channels, 3, 3))

    def forward(self, x):
        out = torch.empty(x.shape[0], self.weight.shape[0], *x.shape[2:])
        library.convolve(x.contiguous(), self.weight.detach(), out)
        return out
