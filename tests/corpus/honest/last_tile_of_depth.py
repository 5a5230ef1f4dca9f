"""operator: sized_matmul
family: any shape
does: walks the depth in tiles, the last of which may be shorter
status: PASSED
where: cpu
toolchain: cpp
message: other shapes
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void matmul(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  const float* left = static_cast<const float*>(a.data_ptr());
  const float* right = static_cast<const float*>(b.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t tile = 0; tile < k; tile += 16)
        for (int64_t p = tile; p < (tile + 16 < k ? tile + 16 : k); ++p) sum += left[i * k + p] * right[p * n + j];
      to[i * n + j] = sum;
    }
}
"""

library = load_inline(name="matmul", cpp_sources=SOURCE, functions=["matmul"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        library.matmul(a, b, out)
        return out
