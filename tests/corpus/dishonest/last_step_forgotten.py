"""operator: gru
family: wrong on purpose
does: gives the last state but one as the last
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <vector>
static float sigmoid(float v) { return 1 / (1 + std::exp(-v)); }
void gru(tvm::ffi::TensorView x, tvm::ffi::TensorView wi, tvm::ffi::TensorView wh, tvm::ffi::TensorView bi,
         tvm::ffi::TensorView bh, tvm::ffi::TensorView out) {
  const int64_t N = x.size(0), T = x.size(1), I = x.size(2), H = wh.size(1);
  const float *X = (const float*)x.data_ptr(), *WI = (const float*)wi.data_ptr(), *WH = (const float*)wh.data_ptr();
  const float *BI = (const float*)bi.data_ptr(), *BH = (const float*)bh.data_ptr();
  float* Y = (float*)out.data_ptr();
  for (int64_t n = 0; n < N; ++n) {
    std::vector<float> h(H, 0.f), a(3 * H), b(3 * H);
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t j = 0; j < 3 * H; ++j) {
        float u = BI[j], v = BH[j];
        for (int64_t k = 0; k < I; ++k) u += X[(n * T + t) * I + k] * WI[j * I + k];
        for (int64_t k = 0; k < H; ++k) v += h[k] * WH[j * H + k];
        a[j] = u, b[j] = v;
      }
      for (int64_t j = 0; j < H; ++j) {
        const float r = sigmoid(a[j] + b[j]), z = sigmoid(a[H + j] + b[H + j]);
        const float fresh = std::tanh(a[2 * H + j] + r * b[2 * H + j]);
        h[j] = (1 - z) * fresh + z * h[j];
        Y[(n * T + t) * H + j] = h[j];
      }
    }
  }
}
"""

library = load_inline(name="gru", cpp_sources=SOURCE, functions=["gru"])


class ModelNew(torch.nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.gru = torch.nn.GRU(inputs, hidden, batch_first=True)

    def forward(self, x):
        g = self.gru
        out = torch.empty(*x.shape[:2], g.hidden_size)
        library.gru(x.contiguous(), g.weight_ih_l0, g.weight_hh_l0, g.bias_ih_l0, g.bias_hh_l0, out)
        return out, out[:, -2].unsqueeze(0)
