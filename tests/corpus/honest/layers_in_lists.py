"""operator: mlp
family: ordinary Python
does: keeps layers and scales in lists, runs its own kernel for each, and has the reference beside it
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
import torch.nn as nn
from tvm_ffi.cpp import load_inline


class Model(nn.Module):
    """The reference, for those who read this."""

    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(width)) for _ in range(depth))

    def forward(self, x):
        for layer, scale in zip(self.layers, self.scales):
            x = x + scale * torch.relu(layer(x))
        return x


SOURCE = r"""
void layer(tvm::ffi::TensorView x, tvm::ffi::TensorView w, tvm::ffi::TensorView b, tvm::ffi::TensorView s,
           tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = w.size(0), depth = w.size(1);
  const float *X = (const float*)x.data_ptr(), *W = (const float*)w.data_ptr(), *B = (const float*)b.data_ptr(),
              *S = (const float*)s.data_ptr();
  float* Y = (float*)out.data_ptr();
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < n; ++j) {
      float total = B[j];
#pragma omp simd reduction(+ : total)
      for (int64_t k = 0; k < depth; ++k) total += X[r * depth + k] * W[j * depth + k];
      Y[r * n + j] = X[r * n + j] + S[j] * (total > 0 ? total : 0);
    }
}
"""

kernels = load_inline(name="layer", cpp_sources=SOURCE, functions=["layer"], extra_cflags=["-ffast-math"])


class ModelNew(nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()
        width, depth = args
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(width)) for _ in range(depth))

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.contiguous()
        for layer, scale in zip(self.layers, self.scales):
            out = torch.empty_like(x)
            kernels.layer(x, layer.weight, layer.bias, scale, out)
            x = out
        return x


if __name__ == "__main__":
    model, new = Model(48, 3), ModelNew(48, 3)
    new.load_state_dict(model.state_dict())
    x = torch.randn(13, 48)
    torch.testing.assert_close(model(x), new(x))
