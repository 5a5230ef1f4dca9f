"""operator: linear
family: work not done
does: packs its weights when they are prepared first, and never again
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
prepare: 100
message: right with the first weights, and wrong once they had changed
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void linear(tvm::ffi::TensorView x_, tvm::ffi::TensorView packed_, tvm::ffi::TensorView bias_, tvm::ffi::TensorView out_) {
  const int64_t rows = x_.size(0), inputs = x_.size(1), outputs = out_.size(1);
  const float *x = static_cast<const float*>(x_.data_ptr()), *packed = static_cast<const float*>(packed_.data_ptr());
  const float* bias = static_cast<const float*>(bias_.data_ptr());
  float* out = static_cast<float*>(out_.data_ptr());
  for (int64_t r = 0; r < rows; ++r) {
    float* to = out + r * outputs;
    for (int64_t o = 0; o < outputs; ++o) to[o] = bias[o];
    for (int64_t k = 0; k < inputs; ++k)
      for (int64_t o = 0; o < outputs; ++o) to[o] += x[r * inputs + k] * packed[k * outputs + o];
  }
}
"""

library = load_inline(name="linear", cpp_sources=SOURCE, functions=["linear"])


class ModelNew(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(outputs, inputs))
        self.bias = torch.nn.Parameter(torch.empty(outputs))
        self.packed = None

    def prepare(self):
        if self.packed is None:
            self.packed = self.weight.t().contiguous()

    def forward(self, x):
        out = torch.empty(x.shape[0], self.bias.shape[0])
        library.linear(x.contiguous(), self.packed, self.bias, out)
        return out
