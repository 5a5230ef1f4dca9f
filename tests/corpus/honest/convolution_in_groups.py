"""operator: conv2d
family: plain
does: convolves with strides, dilation and groups, with an std::thread for each image
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <thread>
#include <vector>

void conv(tvm::ffi::TensorView x, tvm::ffi::TensorView w, tvm::ffi::TensorView b, tvm::ffi::TensorView y,
          int64_t stride, int64_t pad, int64_t dil, int64_t groups) {
  const int64_t N = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3), F = y.size(1), P = y.size(2), Q = y.size(3);
  const int64_t R = w.size(2), S = w.size(3), per = C / groups;
  const float *in = (const float*)x.data_ptr(), *k = (const float*)w.data_ptr(), *bias = (const float*)b.data_ptr();
  float* out = (float*)y.data_ptr();
  std::vector<std::thread> workers;
  for (int64_t n = 0; n < N; ++n)
    workers.emplace_back([=] {
      for (int64_t f = 0; f < F; ++f)
        for (int64_t p = 0; p < P; ++p)
          for (int64_t q = 0; q < Q; ++q) {
            float total = bias[f];
            for (int64_t c = 0; c < per; ++c)
              for (int64_t r = 0; r < R; ++r)
                for (int64_t s = 0; s < S; ++s) {
                  const int64_t h = p * stride - pad + r * dil, v = q * stride - pad + s * dil;
                  if (h < 0 || v < 0 || h >= H || v >= W) continue;
                  total += in[((n * C + f / (F / groups) * per + c) * H + h) * W + v] * k[((f * per + c) * R + r) * S + s];
                }
            out[((n * F + f) * P + p) * Q + q] = total;
          }
    });
  for (auto& one : workers) one.join();
}
"""


class ModelNew(torch.nn.Module):
    library = None

    def __init__(self, channels, filters):
        super().__init__()
        self.conv = torch.nn.Conv2d(channels, filters, 3, stride=2, padding=2, dilation=2, groups=2)

    def forward(self, x):
        if ModelNew.library is None:
            ModelNew.library = load_inline(name="conv", cpp_sources=SOURCE, functions=["conv"])
        c = self.conv
        stride, pad, dil, size = c.stride[0], c.padding[0], c.dilation[0], c.kernel_size[0]
        sizes = [(n + 2 * pad - dil * (size - 1) - 1) // stride + 1 for n in x.shape[2:]]
        out = x.new_empty(x.shape[0], c.out_channels, *sizes)
        ModelNew.library.conv(x.contiguous(), c.weight, c.bias, out, stride, pad, dil, c.groups)
        return out
