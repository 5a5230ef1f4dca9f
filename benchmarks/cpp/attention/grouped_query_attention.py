"""Causal attention of shared heads: keys and values are packed once for all heads that share them."""

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

// panel[p][0..NR) = columns j.. of b; b is [k, n] where step == 1, else [n, k]; zeros beyond n.
static void pack(const float* b, int64_t ldb, bool transposed, int64_t j, int64_t n, int64_t k, float* panel) {
  const int64_t real = std::min<int64_t>(NR, n - j);
  if (!transposed) {
    for (int64_t p = 0; p < k; ++p) {
      const float* from = b + p * ldb + j;
      float* to = panel + p * NR;
      if (real == NR) {
        store(to, load(from));
        store(to + W, load(from + W));
      } else {
        for (int c = 0; c < NR; ++c) to[c] = c < real ? from[c] : 0.f;
      }
    }
    return;
  }
  int64_t done = 0;
#if defined(__AVX512F__)
  if (real == NR)
    for (; done + 16 <= k; done += 16)
      for (int c = 0; c < NR; c += 16) transpose16(b + (j + c) * ldb + done, ldb, panel + done * NR + c, NR);
#endif
  for (int64_t p = done; p < k; ++p)
    for (int c = 0; c < NR; ++c) panel[p * NR + c] = c < real ? b[(j + c) * ldb + p] : 0.f;
}

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

static inline float add_up(vec v) {
  float s[W];
  store(s, v);
  for (int w = W / 2; w > 0; w /= 2)
    for (int i = 0; i < w; ++i) s[i] += s[i + w];
  return s[0];
}

static inline float largest(vec v) {
  float s[W];
  store(s, v);
  float best = s[0];
  for (int i = 1; i < W; ++i) best = s[i] > best ? s[i] : best;
  return best;
}

struct Sizes {
  int64_t queries, keys, dim, value_dim;
  bool causal;
};

// Columns j.. of to[p * NR + c]: W x W blocks of [n, k] transposed (keys), or rows copied (values); zeros beyond.
static void pack_keys(const float* key, int64_t keys, int64_t dim, float* to) {
  for (int64_t j = 0; j < keys; j += NR) pack(key, dim, true, j, keys, dim, to + j * dim);
}
static void pack_values(const float* value, int64_t keys, int64_t dim, float* to) {
  for (int64_t j = 0; j < dim; j += NR) pack(value, dim, false, j, dim, keys, to + j * keys);
}

// M queries from i on: all scores of the rows, softmax in place, then the weights times the values.
// For rows of up to some thousand keys the scores fit into the second-level cache; no running maximum is needed.
template <int M>
static void attend(const float* q, const Sizes& z, int64_t i, float scale, const float* kt, const float* v,
                   float* scores, float* out) {
  const int64_t seen = z.causal ? std::min(z.keys, i + M) : z.keys, wide = (seen + NR - 1) / NR * NR;
  vec sum[M][2];
  for (int64_t j = 0; j < seen; j += NR) {
    product<M>(z.dim, q + i * z.dim, z.dim, 1, kt + j * z.dim, NR, sum);
    for (int r = 0; r < M; ++r)
      for (int h = 0; h < 2; ++h) store(scores + r * wide + j + h * W, sum[r][h] * scale);
  }
  float total[M];
  for (int r = 0; r < M; ++r) {
    float* row = scores + r * wide;
    const int64_t end = z.causal ? std::min(z.keys, i + r + 1) : z.keys;
    for (int64_t j = end; j < wide; ++j) row[j] = -INFINITY;
    vec best = load(row);
    for (int64_t j = W; j < wide; j += W) {
      const vec x = load(row + j);
      best = x > best ? x : best;
    }
    const float top = largest(best);
    vec all = {};
    for (int64_t j = 0; j < wide; j += W) {
      const vec e = exp_of(load(row + j) - top);
      store(row + j, e);
      all += e;
    }
    total[r] = 1.f / add_up(all);
  }
  for (int64_t d = 0; d < z.value_dim; d += NR) {
    product<M>(seen, scores, wide, 1, v + d * z.keys, NR, sum);
    for (int r = 0; r < M; ++r)
      for (int h = 0; h < 2; ++h) {
        const int64_t at = d + h * W, left = z.value_dim - at;
        if (left > 0) store_some(out + (i + r) * z.value_dim + at, sum[r][h] * total[r], left);
      }
  }
}

static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

// q, out [batch, heads, queries, dim], k and v [batch, groups, keys, dim]: heads / groups heads share keys and values.
void attention(tvm::ffi::TensorView q, tvm::ffi::TensorView k, tvm::ffi::TensorView v, tvm::ffi::TensorView out,
               bool causal) {
  const Sizes z{q.size(2), k.size(2), q.size(3), v.size(3), causal};
  const int64_t all = q.size(0) * q.size(1), shared = q.size(1) / k.size(1), kv = all / shared;
  const float scale = 1.f / std::sqrt(float(z.dim));
  const int64_t padded = (z.keys + NR - 1) / NR * NR, wide = (z.value_dim + NR - 1) / NR * NR;
  // Blocks of queries beside the heads where heads alone would leave threads without work; each packs for itself.
  const int64_t per = std::clamp<int64_t>(4 * omp_get_max_threads() / kv, 1, (z.queries + 95) / 96);
  const int64_t block = ((z.queries + per - 1) / per + MR - 1) / MR * MR;
#pragma omp parallel if (all * z.queries * z.keys * z.dim > 100000)
  {
    std::vector<float> kt(padded * z.dim), vp(z.keys * wide), scores(MR * padded);
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t one = 0; one < kv; ++one)
      for (int64_t part = 0; part < per; ++part) {
        pack_keys(data(k) + one * z.keys * z.dim, z.keys, z.dim, kt.data());
        pack_values(data(v) + one * z.keys * z.value_dim, z.keys, z.value_dim, vp.data());
        for (int64_t head = one * shared; head < (one + 1) * shared; ++head) {
          const float* from = data(q) + head * z.queries * z.dim;
          float* to = data(out) + head * z.queries * z.value_dim;
          const int64_t end = std::min(z.queries, (part + 1) * block);
          int64_t i = part * block;
          for (; i + MR <= end; i += MR) attend<MR>(from, z, i, scale, kt.data(), vp.data(), scores.data(), to);
          for (; i + 4 <= end; i += 4) attend<4>(from, z, i, scale, kt.data(), vp.data(), scores.data(), to);
          for (; i < end; ++i) attend<1>(from, z, i, scale, kt.data(), vp.data(), scores.data(), to);
        }
      }
  }
}
"""

library = load_inline(name="grouped_query_attention", cpp_sources=SOURCE, functions=["attention"])


class ModelNew(torch.nn.Module):
    def forward(self, query, key, value):
        query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        out = torch.empty(*query.shape[:3], value.shape[3], dtype=query.dtype, device=query.device)
        library.attention(query, key, value, out, True)
        return out
