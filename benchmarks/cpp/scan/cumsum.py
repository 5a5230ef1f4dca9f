"""Running sums: a register of values at a time, one carried sum between them."""

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

// At the right edge: the first `left` floats only; zeros beyond.
#if defined(__AVX512F__)
static inline __mmask16 some(int64_t left) { return left >= 16 ? 0xffff : left > 0 ? (1u << left) - 1 : 0; }
static inline vec load_some(const float* p, int64_t left) { return (vec)_mm512_maskz_loadu_ps(some(left), p); }
static inline void store_some(float* p, vec v, int64_t left) { _mm512_mask_storeu_ps(p, some(left), (__m512)v); }
#else
static inline vec load_some(const float* p, int64_t left) {
  if (left >= W) return load(p);
  float edge[W] = {};
  for (int64_t i = 0; i < left; ++i) edge[i] = p[i];
  return load(edge);
}
static inline void store_some(float* p, vec v, int64_t left) {
  if (left >= W) return store(p, v);
  float edge[W];
  store(edge, v);
  for (int64_t i = 0; i < left; ++i) p[i] = edge[i];
}
#endif

// The values of a register moved by S places towards the end, with `none` in front.
template <int S>
static inline vec moved(vec v, vec none) {
#if defined(__AVX512F__)
  return (vec)_mm512_alignr_epi32((__m512i)v, (__m512i)none, W - S);
#else
  float both[2 * W];
  store(both, none), store(both + W, v);
  return load(both + W - S);
#endif
}
static inline vec join(vec left, vec v) { return left + v; }
// Running sums of the W values of a register, in log2(W) steps.
static inline vec running(vec v) {
  const vec none = vec{} + 0.f;
  v = join(moved<1>(v, none), v);
  v = join(moved<2>(v, none), v);
  v = join(moved<4>(v, none), v);
  return W == 16 ? join(moved<W / 2>(v, none), v) : v;
}
static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

void cumsum(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1);
#pragma omp parallel for schedule(static) if (rows * n > 10000)
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = data(x) + r * n;
    float* to = data(out) + r * n;
    float carry = 0.f;
    for (int64_t c = 0; c < n; c += W) {
      const vec all = join(vec{} + carry, running(load_some(row + c, n - c)));
      store_some(to + c, all, n - c);
      carry = all[W - 1];
    }
  }
}
"""

library = load_inline(name="cumsum", cpp_sources=SOURCE, functions=["cumsum"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        library.cumsum(x, out)
        return out
