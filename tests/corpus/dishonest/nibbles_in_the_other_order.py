"""operator: int4_linear
family: wrong on purpose
does: takes the two numbers of a byte in the other order
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstdint>
void linear(tvm::ffi::TensorView x_, tvm::ffi::TensorView packed_, tvm::ffi::TensorView scales_, tvm::ffi::TensorView zeros_, tvm::ffi::TensorView out_, int64_t group) {
  const float *x = static_cast<const float*>(x_.data_ptr()), *scales = static_cast<const float*>(scales_.data_ptr());
  const uint8_t* packed = static_cast<const uint8_t*>(packed_.data_ptr());
  const uint8_t* zeros = static_cast<const uint8_t*>(zeros_.data_ptr());
  float* out = static_cast<float*>(out_.data_ptr());
  const int64_t rows = x_.size(0), inputs = x_.size(1), outputs = packed_.size(0), groups = inputs / group;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < outputs; ++o) {
      double sum = 0;
      for (int64_t i = 0; i < inputs; ++i) {
        const uint8_t byte = packed[(o * inputs + i) / 2];
        const int number = i % 2 == 1 ? byte & 15 : byte >> 4;
        const int64_t at = o * groups + i / group;
        sum += static_cast<double>(x[r * inputs + i]) * ((number - zeros[at]) * scales[at]);
      }
      out[r * outputs + o] = static_cast<float>(sum);
    }
}
"""

library = load_inline(name="linear", cpp_sources=SOURCE, functions=["linear"])


class ModelNew(torch.nn.Module):
    def __init__(self, outputs, inputs, group):
        super().__init__()
        self.group = group
        self.register_buffer("packed", torch.empty(outputs, inputs // 2, dtype=torch.uint8))
        self.register_buffer("scales", torch.empty(outputs, inputs // group))
        self.register_buffer("zeros", torch.empty(outputs, inputs // group, dtype=torch.uint8))

    def forward(self, x):
        out = torch.empty(x.shape[0], self.packed.shape[0])
        library.linear(x.contiguous(), self.packed, self.scales, self.zeros, out, self.group)
        return out
