"""Softmax whose gradient is a method of the model: what it needs is among its arguments."""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cmath>
#include <cstdint>
using View = tvm::ffi::TensorView;
static float* at(View one) { return static_cast<float*>(one.data_ptr()); }

void forward(View x, View out) {
  const int64_t rows = x.size(0), cols = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* X = at(x) + r * cols;
    float *Y = at(out) + r * cols, top = *std::max_element(X, X + cols), sum = 0;
    for (int64_t c = 0; c < cols; ++c) sum += Y[c] = std::exp(X[c] - top);
    for (int64_t c = 0; c < cols; ++c) Y[c] /= sum;
  }
}

void backward(View upstream, View out, View dx) {
  const int64_t rows = out.size(0), cols = out.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float *G = at(upstream) + r * cols, *Y = at(out) + r * cols;
    float sum = 0;
    for (int64_t c = 0; c < cols; ++c) sum += G[c] * Y[c];
    for (int64_t c = 0; c < cols; ++c) at(dx)[r * cols + c] = Y[c] * (G[c] - sum);
  }
}
"""
library = load_inline(name="softmax", cpp_sources=SOURCE, functions=["forward", "backward"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        library.forward(x, out)
        return out

    def backward(self, grads, inputs, outputs):
        dx = torch.empty_like(outputs[0])
        library.backward(grads[0].contiguous(), outputs[0], dx)
        return {"x": dx}
