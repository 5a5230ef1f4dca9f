"""Places of the largest values: W candidates side by side, the first of equals; a NaN wins."""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>
#include <immintrin.h>
#include <omp.h>

#if defined(__AVX512F__)
constexpr int W = 16, MR = 12;  // floats in a register; rows of a tile: 24 sums of 32 registers
#else
constexpr int W = 8, MR = 6;    // 12 sums of 16 registers
#endif
constexpr int NR = 2 * W;
typedef float vec __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * W), aligned(4), may_alias));
static inline vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
static inline void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

void argmax(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1), whole = n / W * W;
#pragma omp parallel for schedule(static) if (rows * n > 20000)
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = data(x) + r * n;
    float best = row[0];
    int64_t place = 0;
    if (whole) {
      vec top = load(row);
      ivec at = {}, step = {};
      for (int64_t c = W; c < whole; c += W) {
        const vec v = load(row + c);
        step += 1;
        const auto better = (v > top) | ((v != v) & (top == top));
        top = better ? v : top;
        at = better ? step : at;
      }
      float lanes[W];
      int32_t blocks[W];
      store(lanes, top);
      *reinterpret_cast<ivec*>(blocks) = at;
      best = lanes[0], place = int64_t(blocks[0]) * W;
      for (int i = 1; i < W; ++i) {
        const int64_t here = int64_t(blocks[i]) * W + i;
        const bool more = lanes[i] > best || (lanes[i] != lanes[i] && best == best);
        const bool same = lanes[i] == best || (lanes[i] != lanes[i] && best != best);
        if (more || (same && here < place)) best = lanes[i], place = here;
      }
    }
    for (int64_t c = whole; c < n; ++c)
      if (row[c] > best || (row[c] != row[c] && best == best)) best = row[c], place = c;
    static_cast<int64_t*>(out.data_ptr())[r] = place;
  }
}
"""

library = load_inline(name="argmax", cpp_sources=SOURCE, functions=["argmax"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty(x.shape[0], dtype=torch.int64, device=x.device)
        library.argmax(x, out)
        return out
