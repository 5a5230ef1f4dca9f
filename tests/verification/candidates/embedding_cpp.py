"""A lookup; the gradients of rows that are looked up several times add up."""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstdint>
#include <cstring>
using View = tvm::ffi::TensorView;

void forward(View ids, View table, View out) {
  const int64_t count = ids.size(0), width = table.size(1);
  const int64_t* I = static_cast<const int64_t*>(ids.data_ptr());
  const float* T = static_cast<const float*>(table.data_ptr());
  float* O = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < count; ++i) std::memcpy(O + i * width, T + I[i] * width, width * sizeof(float));
}

void backward(View ids, View upstream, View gradient) {
  const int64_t count = ids.size(0), width = gradient.size(1);
  const int64_t* I = static_cast<const int64_t*>(ids.data_ptr());
  const float* G = static_cast<const float*>(upstream.data_ptr());
  float* D = static_cast<float*>(gradient.data_ptr());
  for (int64_t i = 0; i < count; ++i)
    for (int64_t c = 0; c < width; ++c) D[I[i] * width + c] += G[i * width + c];
}
"""
library = load_inline(name="embedding", cpp_sources=SOURCE, functions=["forward", "backward"])


class Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, ids, table):
        flat = ids.reshape(-1).contiguous()
        ctx.save_for_backward(flat)
        ctx.rows = table.shape[0]
        out = table.new_empty(flat.numel(), table.shape[1])
        library.forward(flat, table.detach(), out)
        return out.reshape(*ids.shape, -1)

    @staticmethod
    def backward(ctx, upstream):
        (flat,) = ctx.saved_tensors
        gradient = upstream.new_zeros(ctx.rows, upstream.shape[-1])
        library.backward(flat, upstream.reshape(-1, upstream.shape[-1]).contiguous(), gradient)
        return None, gradient


class ModelNew(torch.nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.table = torch.nn.Embedding(rows, width)

    def forward(self, ids):
        return Embedding.apply(ids, self.table.weight)
