"""operator: layernorm
family: wrong on purpose
does: rounds what it normalises to TF32 where the task allows that in products
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
precision: tf32
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

void normalize(tvm::ffi::TensorView x, tvm::ffi::TensorView weight, tvm::ffi::TensorView bias, tvm::ffi::TensorView out) {
  const int64_t width = x.size(1);
  const float *wp = static_cast<const float*>(weight.data_ptr()), *bp = static_cast<const float*>(bias.data_ptr());
  for (int64_t i = 0; i < x.size(0); ++i) {
    const float* row = static_cast<const float*>(x.data_ptr()) + i * width;
    float* to = static_cast<float*>(out.data_ptr()) + i * width;
    double sum = 0, squares = 0;
    for (int64_t j = 0; j < width; ++j) sum += tf32(row[j]);
    const double mean = sum / width;
    for (int64_t j = 0; j < width; ++j) squares += (tf32(row[j]) - mean) * (tf32(row[j]) - mean);
    const float root = 1 / std::sqrt(squares / width + 1e-5);
    for (int64_t j = 0; j < width; ++j) to[j] = static_cast<float>(tf32(row[j]) - mean) * root * wp[j] + bp[j];
  }
}
"""

library = load_inline(name="normalize", cpp_sources=SOURCE, functions=["normalize"])


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        out = torch.empty_like(x)
        library.normalize(x.contiguous(), self.weight.detach(), self.bias.detach(), out)
        return out
