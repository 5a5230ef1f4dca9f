"""operator: batchnorm
family: wrong on purpose
does: moves the running mean, which the reference leaves alone
status: REFUSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void batchnorm(tvm::ffi::TensorView x, tvm::ffi::TensorView mean, tvm::ffi::TensorView var, tvm::ffi::TensorView gain,
               tvm::ffi::TensorView shift, tvm::ffi::TensorView out) {
  const int64_t batch = x.size(0), channels = x.size(1), inner = x.size(2) * x.size(3);
  auto at = [](tvm::ffi::TensorView t, int64_t i) { return static_cast<const float*>(t.data_ptr())[i]; };
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t c = 0; c < channels; ++c) {
      const float scale = at(gain, c) / std::sqrt(at(var, c) + 1e-5f);
      const float mine = at(mean, c);
      static_cast<float*>(mean.data_ptr())[c] += n == batch - 1 ? 1.f : 0.f;
      for (int64_t i = 0; i < inner; ++i) {
        const int64_t place = (n * channels + c) * inner + i;
        to[place] = (at(x, place) - mine) * scale + at(shift, c);
      }
    }
}
"""

library = load_inline(name="batchnorm", cpp_sources=SOURCE, functions=["batchnorm"])


class ModelNew(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels))
        self.bias = torch.nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        out = torch.empty_like(x)
        library.batchnorm(x, self.running_mean, self.running_var, self.weight.detach(), self.bias.detach(), out)
        return out
