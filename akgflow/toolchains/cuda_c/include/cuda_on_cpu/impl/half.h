// float16 and bfloat16, computed as a GPU does: each operation in float32, rounded once to nearest even.
#pragma once
#include "device.h"

namespace cuda_on_cpu {
inline uint16_t half_bits(float v) {
  const uint32_t bits = __float_as_uint(v), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return uint16_t(sign | 0x7E00u);   // NaN
  if (magnitude >= 0x477FF000u) return uint16_t(sign | 0x7C00u);  // rounds to infinity
  if (magnitude < 0x38800000u) {                                  // subnormal: units of 2^-24
    const float units = rintf(__uint_as_float(magnitude) * 16777216.0f);
    return uint16_t(sign | uint32_t(units));
  }
  const uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u);
  return uint16_t(sign | ((rounded >> 13) - (112u << 10)));
}
inline float half_value(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1Fu, mantissa = bits & 0x3FFu;
  if (exponent == 0) return __uint_as_float(sign) + (sign ? -1.0f : 1.0f) * float(mantissa) / 16777216.0f;
  if (exponent == 31) return __uint_as_float(sign | 0x7F800000u | mantissa << 13);
  return __uint_as_float(sign | (exponent + 112u) << 23 | mantissa << 13);
}
inline uint16_t bfloat16_bits(float v) {
  const uint32_t bits = __float_as_uint(v);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FFF;
  return uint16_t((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}
inline float bfloat16_value(uint16_t bits) { return __uint_as_float(uint32_t(bits) << 16); }
}  // namespace cuda_on_cpu

#define CUDA_ON_CPU_SMALL_FLOAT(name, encode, decode)                                             \
  struct name##_raw { unsigned short x; };                                                        \
  struct name {                                                                                   \
    uint16_t bits;                                                                                \
    name() = default;                                                                             \
    name(name##_raw v) : bits(v.x) {}                                                             \
    operator name##_raw() const { return {bits}; }                                                \
    name(float v) : bits(cuda_on_cpu::encode(v)) {}                                               \
    name(double v) : name(float(v)) {}                                                            \
    name(int v) : name(float(v)) {}                                                               \
    name(unsigned v) : name(float(v)) {}                                                          \
    name(long v) : name(float(v)) {}                                                              \
    name(long long v) : name(float(v)) {}                                                         \
    operator float() const { return cuda_on_cpu::decode(bits); }                                  \
    name& operator+=(name o) { return *this = name(float(*this) + float(o)); }                    \
    name& operator-=(name o) { return *this = name(float(*this) - float(o)); }                    \
    name& operator*=(name o) { return *this = name(float(*this) * float(o)); }                    \
    name& operator/=(name o) { return *this = name(float(*this) / float(o)); }                    \
  };                                                                                              \
  inline name operator+(name a, name b) { return a += b; }                                        \
  inline name operator-(name a, name b) { return a -= b; }                                        \
  inline name operator*(name a, name b) { return a *= b; }                                        \
  inline name operator/(name a, name b) { return a /= b; }                                        \
  inline name operator-(name a) { return name(-float(a)); }                                       \
  inline bool operator<(name a, name b) { return float(a) < float(b); }                           \
  inline bool operator>(name a, name b) { return float(a) > float(b); }                           \
  inline bool operator<=(name a, name b) { return float(a) <= float(b); }                         \
  inline bool operator>=(name a, name b) { return float(a) >= float(b); }                         \
  inline bool operator==(name a, name b) { return float(a) == float(b); }                         \
  inline bool operator!=(name a, name b) { return float(a) != float(b); }                         \
  inline name __hadd(name a, name b) { return a + b; }                                            \
  inline name __hsub(name a, name b) { return a - b; }                                            \
  inline name __hmul(name a, name b) { return a * b; }                                            \
  inline name __hdiv(name a, name b) { return a / b; }                                            \
  inline name __hfma(name a, name b, name c) { return name(fmaf(float(a), float(b), float(c))); } \
  inline name __hmax(name a, name b) { return a < b ? b : a; }                                    \
  inline name __hmin(name a, name b) { return b < a ? b : a; }                                    \
  inline name __hneg(name a) { return -a; }                                                       \
  inline bool __hlt(name a, name b) { return a < b; }                                             \
  inline bool __hgt(name a, name b) { return a > b; }                                             \
  inline bool __hle(name a, name b) { return a <= b; }                                            \
  inline bool __hge(name a, name b) { return a >= b; }                                            \
  inline bool __heq(name a, name b) { return a == b; }                                            \
  inline bool __hne(name a, name b) { return a != b; }                                            \
  inline name __habs(name a) { return name(fabsf(float(a))); }                                    \
  inline name hlog(name a) { return name(logf(float(a))); }                                       \
  inline name hrsqrt(name a) { return name(1.0f / sqrtf(float(a))); }                             \
  inline name hrcp(name a) { return name(1.0f / float(a)); }                                      \
  inline name htanh(name a) { return name(tanhf(float(a))); }                                     \
  inline bool __hisinf(name a) { return isinf(float(a)); }                                        \
  inline bool __hisnan(name a) { return float(a) != float(a); }                                   \
  inline name hexp(name a) { return name(expf(float(a))); }                                       \
  inline name hsqrt(name a) { return name(sqrtf(float(a))); }                                     \
  inline name hsin(name a) { return name(sinf(float(a))); }                                       \
  inline name hcos(name a) { return name(cosf(float(a))); }                                       \
  inline name hlog2(name a) { return name(log2f(float(a))); }                                     \
  inline name hexp2(name a) { return name(exp2f(float(a))); }                                     \
  inline name hfloor(name a) { return name(floorf(float(a))); }                                   \
  inline name hceil(name a) { return name(ceilf(float(a))); }                                     \
  inline name hrint(name a) { return name(rintf(float(a))); }                                     \
  inline name __hmax_nan(name a, name b) { return __hisnan(a) ? a : __hisnan(b) ? b : __hmax(a, b); } \
  inline name __hmin_nan(name a, name b) { return __hisnan(a) ? a : __hisnan(b) ? b : __hmin(a, b); } \
  inline name __hfma_relu(name a, name b, name c) { return __hmax(__hfma(a, b, c), name(0.0f)); } \
  inline name __hadd_sat(name a, name b) { return name(__saturatef(float(a) + float(b))); }       \
  inline name __hmul_sat(name a, name b) { return name(__saturatef(float(a) * float(b))); }
CUDA_ON_CPU_SMALL_FLOAT(__half, half_bits, half_value)
CUDA_ON_CPU_SMALL_FLOAT(__nv_bfloat16, bfloat16_bits, bfloat16_value)
#undef CUDA_ON_CPU_SMALL_FLOAT
using half = __half;
using nv_bfloat16 = __nv_bfloat16;

// Pairs in one 32-bit word; each operation is done on both.
#define CUDA_ON_CPU_PAIR(name, one)                                                                          \
  struct __attribute__((aligned(4))) name##_raw { unsigned short x, y; };                                    \
  struct __attribute__((aligned(4))) name {                                                                  \
    one x, y;                                                                                                \
    name() = default;                                                                                        \
    name(name##_raw v) : x(one##_raw{v.x}), y(one##_raw{v.y}) {}                                             \
    operator name##_raw() const { return {x.bits, y.bits}; }                                                 \
    name(one a, one b) : x(a), y(b) {}                                                                       \
    name& operator+=(name o) { return *this = name(x + o.x, y + o.y); }                                      \
    name& operator-=(name o) { return *this = name(x - o.x, y - o.y); }                                      \
    name& operator*=(name o) { return *this = name(x * o.x, y * o.y); }                                      \
  };                                                                                                         \
  inline name operator+(name a, name b) { return a += b; }                                                   \
  inline name operator-(name a, name b) { return a -= b; }                                                   \
  inline name operator*(name a, name b) { return a *= b; }                                                   \
  inline name operator/(name a, name b) { return name(a.x / b.x, a.y / b.y); }                               \
  inline bool operator==(name a, name b) { return a.x == b.x && a.y == b.y; }                                \
  inline name __hadd2(name a, name b) { return a + b; }                                                      \
  inline name __hsub2(name a, name b) { return a - b; }                                                      \
  inline name __hmul2(name a, name b) { return a * b; }                                                      \
  inline name __h2div(name a, name b) { return a / b; }                                                      \
  inline name __hfma2(name a, name b, name c) { return name(__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)); } \
  inline name __hmax2(name a, name b) { return name(__hmax(a.x, b.x), __hmax(a.y, b.y)); }                   \
  inline name __hmin2(name a, name b) { return name(__hmin(a.x, b.x), __hmin(a.y, b.y)); }                   \
  inline name __hneg2(name a) { return name(-a.x, -a.y); }                                                   \
  inline name __habs2(name a) { return name(__habs(a.x), __habs(a.y)); }                                     \
  inline name h2exp(name a) { return name(hexp(a.x), hexp(a.y)); }                                           \
  inline name h2sqrt(name a) { return name(hsqrt(a.x), hsqrt(a.y)); }                                        \
  inline name h2rsqrt(name a) { return name(hrsqrt(a.x), hrsqrt(a.y)); }                                     \
  inline name h2rcp(name a) { return name(hrcp(a.x), hrcp(a.y)); }                                           \
  inline name h2log(name a) { return name(hlog(a.x), hlog(a.y)); }                                           \
  inline name h2exp2(name a) { return name(hexp2(a.x), hexp2(a.y)); }                                        \
  inline name h2tanh(name a) { return name(htanh(a.x), htanh(a.y)); }                                        \
  inline name __hfma2_relu(name a, name b, name c) {                                                         \
    return name(__hfma_relu(a.x, b.x, c.x), __hfma_relu(a.y, b.y, c.y));                                     \
  }                                                                                                          \
  inline name __hgt2(name a, name b) { return name(float(a.x > b.x), float(a.y > b.y)); }                    \
  inline name __hlt2(name a, name b) { return name(float(a.x < b.x), float(a.y < b.y)); }                    \
  inline name __hge2(name a, name b) { return name(float(a.x >= b.x), float(a.y >= b.y)); }                  \
  inline name __heq2(name a, name b) { return name(float(a.x == b.x), float(a.y == b.y)); }
CUDA_ON_CPU_PAIR(__half2, __half)
CUDA_ON_CPU_PAIR(__nv_bfloat162, __nv_bfloat16)
#undef CUDA_ON_CPU_PAIR
using half2 = __half2;
using nv_bfloat162 = __nv_bfloat162;
inline __half2 make_half2(__half a, __half b) { return {a, b}; }
inline __half2 __halves2half2(__half a, __half b) { return {a, b}; }
inline __half2 __half2half2(__half a) { return {a, a}; }
inline __half2 __float2half2_rn(float a) { return {__half(a), __half(a)}; }
inline __half2 __floats2half2_rn(float a, float b) { return {__half(a), __half(b)}; }
inline __half2 __float22half2_rn(float2 a) { return {__half(a.x), __half(a.y)}; }
inline float2 __half22float2(__half2 a) { return {float(a.x), float(a.y)}; }
inline __half __low2half(__half2 a) { return a.x; }
inline __half __high2half(__half2 a) { return a.y; }
inline float __low2float(__half2 a) { return float(a.x); }
inline float __high2float(__half2 a) { return float(a.y); }
inline __half2 __lows2half2(__half2 a, __half2 b) { return {a.x, b.x}; }
inline __half2 __highs2half2(__half2 a, __half2 b) { return {a.y, b.y}; }
inline __half2 __lowhigh2highlow(__half2 a) { return {a.y, a.x}; }
inline __nv_bfloat162 make_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 a) { return {a, a}; }
inline __nv_bfloat162 __float2bfloat162_rn(float a) { return {__nv_bfloat16(a), __nv_bfloat16(a)}; }
inline __nv_bfloat162 __floats2bfloat162_rn(float a, float b) { return {__nv_bfloat16(a), __nv_bfloat16(b)}; }
inline __nv_bfloat162 __float22bfloat162_rn(float2 a) { return {__nv_bfloat16(a.x), __nv_bfloat16(a.y)}; }
inline float2 __bfloat1622float2(__nv_bfloat162 a) { return {float(a.x), float(a.y)}; }
inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 a) { return a.x; }
inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 a) { return a.y; }
inline float __low2float(__nv_bfloat162 a) { return float(a.x); }
inline float __high2float(__nv_bfloat162 a) { return float(a.y); }
inline __half __int2half_rn(int v) { return __half(v); }
inline int __half2int_rn(__half v) { return int(rintf(float(v))); }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short v) { __nv_bfloat16 h; h.bits = v; return h; }
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 v) { return v.bits; }

inline __half2 __low2half2(__half2 a) { return {a.x, a.x}; }
inline __half2 __high2half2(__half2 a) { return {a.y, a.y}; }
inline __half __short_as_half(short v) { __half h; h.bits = uint16_t(v); return h; }
inline short __half_as_short(__half v) { return short(v.bits); }
inline __nv_bfloat16 __short_as_bfloat16(short v) { __nv_bfloat16 h; h.bits = uint16_t(v); return h; }
inline short __bfloat16_as_short(__nv_bfloat16 v) { return short(v.bits); }
inline __half __double2half(double v) { return __half(float(v)); }
inline __nv_bfloat16 __double2bfloat16(double v) { return __nv_bfloat16(float(v)); }
inline __half __int2half_rz(int v) { return __half(v); }
inline __half __uint2half_rn(unsigned v) { return __half(v); }
inline __nv_bfloat16 __int2bfloat16_rn(int v) { return __nv_bfloat16(v); }
inline int __half2int_rz(__half v) { return int(float(v)); }
inline int __bfloat162int_rn(__nv_bfloat16 v) { return int(rintf(float(v))); }

inline __half __float2half(float v) { return __half(v); }
inline __half __float2half_rn(float v) { return __half(v); }
inline float __half2float(__half v) { return float(v); }
inline __half __ushort_as_half(unsigned short v) { __half h; h.bits = v; return h; }
inline unsigned short __half_as_ushort(__half v) { return v.bits; }
inline __nv_bfloat16 __float2bfloat16(float v) { return __nv_bfloat16(v); }
inline __nv_bfloat16 __float2bfloat16_rn(float v) { return __nv_bfloat16(v); }
inline float __bfloat162float(__nv_bfloat16 v) { return float(v); }
