"""Running products of 1 + 0.01 tanh(x): a register of values at a time, one carried product between them."""

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

// e^x within about one unit in the last place: 2^n, a polynomial for the rest; NaN stays NaN.
static inline vec exp_of(vec x) {
  const vec low = vec{} - 104.f, high = vec{} + 89.f, magic = vec{} + 12582912.f;
#if defined(__AVX512F__)
  const vec y = (vec)_mm512_min_ps((__m512)high, _mm512_max_ps((__m512)low, (__m512)x));  // a NaN is the second
#else
  vec y = x < low ? low : x;
  y = y > high ? high : y;
#endif
  const vec z = y * 1.44269504f + magic, n = z - magic, r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
  vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.f;
#if defined(__AVX512F__)
  return (vec)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  // 2^n in two factors: n goes from -150 to 128.
  const ivec whole = (ivec)z - 0x4b400000, half = whole >> 1;
  return p * (vec)((half + 127) << 23) * (vec)((whole - half + 127) << 23);
#endif
}

// tanh: a polynomial near zero, 1 - 2 / (e^(2|x|) + 1) beyond, with the sign of x.
static inline vec tanh_of(vec x) {
  const vec size = x < 0.f ? -x : x, z = x * x;
  vec p = z * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const vec far = 1.f - 2.f / (exp_of(2.f * size) + 1.f);
  return size < 0.625f ? x + x * z * p : (x < 0.f ? -far : far);
}
static inline vec sigmoid(vec x) { return 1.f / (1.f + exp_of(-x)); }

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
static inline vec join(vec left, vec v) { return left * v; }
// Running products of the W values of a register, in log2(W) steps.
static inline vec running(vec v) {
  const vec none = vec{} + 1.f;
  v = join(moved<1>(v, none), v);
  v = join(moved<2>(v, none), v);
  v = join(moved<4>(v, none), v);
  return W == 16 ? join(moved<W / 2>(v, none), v) : v;
}
static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

void cumprod(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1);
#pragma omp parallel for schedule(static) if (rows * n > 10000)
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = data(x) + r * n;
    float* to = data(out) + r * n;
    float carry = 1.f;
    for (int64_t c = 0; c < n; c += W) {
      const vec all = join(vec{} + carry, running(1.f + 0.01f * tanh_of(load_some(row + c, n - c))));
      store_some(to + c, all, n - c);
      carry = all[W - 1];
    }
  }
}
"""

library = load_inline(name="cumprod", cpp_sources=SOURCE, functions=["cumprod"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        library.cumprod(x, out)
        return out
