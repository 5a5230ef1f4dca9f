"""operator: linear
family: prepared weights
does: packs its weights into panels once, and multiplies with these
status: PASSED
where: cpu
toolchain: cpp
prepare: 100
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <vector>
static const int64_t TILE = 8;
// Panels of TILE outputs, each with its inputs in order: the inner loop reads them contiguously.
void pack(tvm::ffi::TensorView weight_, tvm::ffi::TensorView packed_) {
  const int64_t outputs = weight_.size(0), inputs = weight_.size(1);
  const float* weight = static_cast<const float*>(weight_.data_ptr());
  float* packed = static_cast<float*>(packed_.data_ptr());
  for (int64_t p = 0; p * TILE < outputs; ++p)
    for (int64_t k = 0; k < inputs; ++k)
      for (int64_t t = 0; t < TILE; ++t) {
        const int64_t o = p * TILE + t;
        packed[(p * inputs + k) * TILE + t] = o < outputs ? weight[o * inputs + k] : 0.0f;
      }
}
void linear(tvm::ffi::TensorView x_, tvm::ffi::TensorView packed_, tvm::ffi::TensorView bias_, tvm::ffi::TensorView out_) {
  const int64_t rows = x_.size(0), inputs = x_.size(1), outputs = out_.size(1);
  const float *x = static_cast<const float*>(x_.data_ptr()), *packed = static_cast<const float*>(packed_.data_ptr());
  const float* bias = static_cast<const float*>(bias_.data_ptr());
  float* out = static_cast<float*>(out_.data_ptr());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t p = 0; p * TILE < outputs; ++p) {
      float sum[TILE] = {0};
      const float* panel = packed + p * inputs * TILE;
      for (int64_t k = 0; k < inputs; ++k)
        for (int64_t t = 0; t < TILE; ++t) sum[t] += x[r * inputs + k] * panel[k * TILE + t];
      for (int64_t t = 0; t < TILE && p * TILE + t < outputs; ++t)
        out[r * outputs + p * TILE + t] = sum[t] + bias[p * TILE + t];
    }
}
"""

library = load_inline(name="packed", cpp_sources=SOURCE, functions=["pack", "linear"])


class ModelNew(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(outputs, inputs))
        self.bias = torch.nn.Parameter(torch.empty(outputs))

    def prepare(self):
        outputs, inputs = self.weight.shape
        self.packed = torch.empty(-(-outputs // 8), inputs, 8)
        library.pack(self.weight, self.packed)

    def forward(self, x):
        out = torch.empty(x.shape[0], self.weight.shape[0])
        library.linear(x.contiguous(), self.packed, self.bias, out)
        return out
