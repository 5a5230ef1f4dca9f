"""SwiGLU in one pass: a panel holds 16 columns of either weight, so that gate and value meet in registers."""

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

// sum[i][0..NR) = sum over k of a[i * row + k * step] * b[k * ldb + 0..NR), held in registers throughout.
template <int M>
static inline void product(int64_t k, const float* a, int64_t row, int64_t step, const float* b, int64_t ldb,
                           vec (&sum)[M][2]) {
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i) sum[i][0] = sum[i][1] = vec{};
  for (int64_t p = 0; p < k; ++p, a += step, b += ldb) {
    const vec b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 12
    for (int i = 0; i < M; ++i) {
      const float one = a[i * row];
      sum[i][0] += one * b0;
      sum[i][1] += one * b1;
    }
  }
}

#if defined(__AVX512F__)
// to[c * ldt + r] = from[r * ldf + c] for 16 x 16: four rounds in registers, no gather.
static inline void transpose16(const float* from, int64_t ldf, float* to, int64_t ldt) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(from + i * ldf);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(t[i + j]), b = _mm512_castps_pd(t[i + j + 2]);
      r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    _mm512_storeu_ps(to + i * ldt, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
    _mm512_storeu_ps(to + (i + 4) * ldt, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88));
    _mm512_storeu_ps(to + (i + 8) * ldt, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd));
    _mm512_storeu_ps(to + (i + 12) * ldt, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd));
  }
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

// to[p * NR + c] = from[(j + c) * k + p] for W columns; zeros beyond n.
static void pack_half(const float* from, int64_t j, int64_t n, int64_t k, float* to) {
  const int64_t real = std::min<int64_t>(W, n - j);
  int64_t done = 0;
#if defined(__AVX512F__)
  if (real == W)
    for (; done + 16 <= k; done += 16) transpose16(from + j * k + done, k, to + done * NR, NR);
#endif
  for (int64_t p = done; p < k; ++p)
    for (int c = 0; c < W; ++c) to[p * NR + c] = c < real ? from[(j + c) * k + p] : 0.f;
}

template <int M>
static void tile(const float* x, int64_t k, const float* panel, float* out, int64_t n, int64_t i, int64_t j) {
  vec sum[M][2];
  product<M>(k, x + i * k, k, 1, panel, NR, sum);
  for (int r = 0; r < M; ++r)
    store_some(out + (i + r) * n + j, sum[r][0] / (1.f + exp_of(-sum[r][0])) * sum[r][1], n - j);
}
static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

void swiglu(tvm::ffi::TensorView x, tvm::ffi::TensorView gate, tvm::ffi::TensorView up, tvm::ffi::TensorView out) {
  const int64_t m = x.size(0), k = x.size(1), n = gate.size(0);
#pragma omp parallel if (m * n * k > 50000)
  {
    std::vector<float> panel(k * NR);
#pragma omp for schedule(dynamic)
    for (int64_t j = 0; j < n; j += W) {
      pack_half(data(gate), j, n, k, panel.data());
      pack_half(data(up), j, n, k, panel.data() + W);
      int64_t i = 0;
      for (; i + MR <= m; i += MR) tile<MR>(data(x), k, panel.data(), data(out), n, i, j);
      for (; i + 4 <= m; i += 4) tile<4>(data(x), k, panel.data(), data(out), n, i, j);
      for (; i < m; ++i) tile<1>(data(x), k, panel.data(), data(out), n, i, j);
    }
  }
}
"""

library = load_inline(name="swiglu", cpp_sources=SOURCE, functions=["swiglu"])


class ModelNew(torch.nn.Module):
    def __init__(self, k, n):
        super().__init__()
        self.gate = torch.nn.Linear(k, n, bias=False)
        self.up = torch.nn.Linear(k, n, bias=False)

    def forward(self, x):
        x = x.contiguous()
        gate, up = self.gate.weight.detach().contiguous(), self.up.weight.detach().contiguous()
        out = torch.empty(x.shape[0], gate.shape[0], dtype=x.dtype, device=x.device)
        library.swiglu(x, gate, up, out)
        return out
