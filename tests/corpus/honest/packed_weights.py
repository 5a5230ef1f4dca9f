"""operator: conv
family: cached workspaces
does: packs its weight at the first call and uses the packed copy from then on
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void conv(tvm::ffi::TensorView x, tvm::ffi::TensorView weight, tvm::ffi::TensorView out, int64_t border) {
  const int64_t batch = x.size(0), channels = x.size(1), n = x.size(2), filters = weight.size(0), width = weight.size(2);
  const float *xp = static_cast<const float*>(x.data_ptr()), *wp = static_cast<const float*>(weight.data_ptr());
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t f = 0; f < filters; ++f)
      for (int64_t i = 0; i < n; ++i) {
        float sum = 0;
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t t = 0; t < width; ++t) {
            const int64_t at = i + t - width / 2;
            if (at >= border && at < n - border) sum += xp[(b * channels + c) * n + at] * wp[(f * channels + c) * width + t];
          }
        static_cast<float*>(out.data_ptr())[(b * filters + f) * n + i] = sum;
      }
}
"""

library = load_inline(name="conv", cpp_sources=SOURCE, functions=["conv"])


class ModelNew(torch.nn.Module):
    def __init__(self, channels, filters, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(filters, channels, width))
        self.packed = None

    def forward(self, x):
        if self.packed is None:
            self.packed = self.weight.detach().clone()
        out = torch.empty(x.shape[0], self.weight.shape[0], x.shape[2])
        library.conv(x, self.packed, out, 0)
        return out
