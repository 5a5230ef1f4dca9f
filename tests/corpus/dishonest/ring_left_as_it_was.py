"""operator: ring_cache
family: wrong on purpose
does: answers rightly, and leaves the buffer as it was
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
message: buffer ring after the call
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void ring(tvm::ffi::TensorView ring_, tvm::ffi::TensorView rows_, tvm::ffi::TensorView out_, int64_t at) {
  float* ring = static_cast<float*>(ring_.data_ptr());
  const float* rows = static_cast<const float*>(rows_.data_ptr());
  float* out = static_cast<float*>(out_.data_ptr());
  const int64_t room = ring_.size(0), width = ring_.size(1);
  for (int64_t r = 0; r < rows_.size(0); ++r)
    for (int64_t w = 0; w < width; ++w) ring[(at + r) % room * width + w] = rows[r * width + w];
  for (int64_t w = 0; w < width; ++w) {
    out[w] = ring[w];
    for (int64_t r = 1; r < room; ++r) out[w] = ring[r * width + w] > out[w] ? ring[r * width + w] : out[w];
  }
}
"""

library = load_inline(name="ring", cpp_sources=SOURCE, functions=["ring"])


class ModelNew(torch.nn.Module):
    def __init__(self, room, width):
        super().__init__()
        self.register_buffer("ring", torch.ones(room, width))

    def forward(self, rows, at):
        out = torch.empty(rows.shape[1])
        library.ring(self.ring.clone(), rows.contiguous(), out, at)
        return out
