"""operator: matmul
dsl: cpp
does: writes whole panels only: the last columns are never written
cpu: INCORRECT_NUMERICAL
nvidia_h200: -
device: -
"""

import torch
import tvm_ffi.cpp

library = tvm_ffi.cpp.load_inline(
    name="kernels",
    cpp_sources=r"""
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/function.h>

#include <algorithm>
#include <vector>

using tvm::ffi::TensorView;
constexpr int64_t MR = 4, NR = 16, KC = 128;

// Columns of B in panels of NR, so that the inner loop reads one line after another.
static void pack(const float* b, int64_t k, int64_t n, int64_t first, float* panel) {
  for (int64_t p = 0; p < k; ++p) {
    for (int64_t j = 0; j < NR; ++j) panel[p * NR + j] = first + j < n ? b[p * n + first + j] : 0.f;
  }
}

void gemm(TensorView a, TensorView b, TensorView c) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  const float *pa = static_cast<const float*>(a.data_ptr()), *pb = static_cast<const float*>(b.data_ptr());
  float* pc = static_cast<float*>(c.data_ptr());
#pragma omp parallel
  {
    std::vector<float> panel(k * NR);
#pragma omp for schedule(static)
    for (int64_t j = 0; j < n; j += NR) {
      pack(pb, k, n, j, panel.data());
      for (int64_t i = 0; i < m; i += MR) {
        float sum[MR][NR] = {};
        const int64_t rows = std::min(MR, m - i);
        for (int64_t p = 0; p < k; ++p) {
          for (int64_t r = 0; r < rows; ++r) {
#pragma omp simd
            for (int64_t q = 0; q < NR; ++q) sum[r][q] += pa[(i + r) * k + p] * panel[p * NR + q];
          }
        }
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t q = 0; q < NR && j + NR <= n; ++q) pc[(i + r) * n + j + q] = sum[r][q];
        }
      }
    }
  }
}
""",
    functions=["gemm"],
)


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        c = torch.empty(a.shape[0], b.shape[1])
        library.gemm(a.contiguous(), b.contiguous(), c)
        return c
