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
  struct name {                                                                                   \
    uint16_t bits;                                                                                \
    name() = default;                                                                             \
    name(float v) : bits(cuda_on_cpu::encode(v)) {}                                               \
    name(double v) : name(float(v)) {}                                                            \
    name(int v) : name(float(v)) {}                                                               \
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
  inline bool __hisnan(name a) { return float(a) != float(a); }                                   \
  inline name hexp(name a) { return name(expf(float(a))); }                                       \
  inline name hsqrt(name a) { return name(sqrtf(float(a))); }
CUDA_ON_CPU_SMALL_FLOAT(__half, half_bits, half_value)
CUDA_ON_CPU_SMALL_FLOAT(__nv_bfloat16, bfloat16_bits, bfloat16_value)
#undef CUDA_ON_CPU_SMALL_FLOAT
using half = __half;
using nv_bfloat16 = __nv_bfloat16;

inline __half __float2half(float v) { return __half(v); }
inline __half __float2half_rn(float v) { return __half(v); }
inline float __half2float(__half v) { return float(v); }
inline __half __ushort_as_half(unsigned short v) { __half h; h.bits = v; return h; }
inline unsigned short __half_as_ushort(__half v) { return v.bits; }
inline __nv_bfloat16 __float2bfloat16(float v) { return __nv_bfloat16(v); }
inline __nv_bfloat16 __float2bfloat16_rn(float v) { return __nv_bfloat16(v); }
inline float __bfloat162float(__nv_bfloat16 v) { return float(v); }
