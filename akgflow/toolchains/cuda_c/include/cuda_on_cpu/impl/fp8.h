// float8 in both forms, rounded once to nearest even: e4m3 has no infinities, e5m2 has them.
#pragma once
#include "half.h"

enum __nv_saturation_t { __NV_NOSAT, __NV_SATFINITE };
enum __nv_fp8_interpretation_t { __NV_E4M3, __NV_E5M2 };
using __nv_fp8_storage_t = unsigned char;
using __nv_fp8x2_storage_t = unsigned short;
using __nv_fp8x4_storage_t = unsigned int;

namespace cuda_on_cpu {
inline unsigned char fp8_bits(double v, __nv_saturation_t saturation, __nv_fp8_interpretation_t form) {
  const bool e4m3 = form == __NV_E4M3;
  if (v != v) return e4m3 ? 0x7F : 0x7E;
  const int mantissa = e4m3 ? 3 : 2, lowest = e4m3 ? -6 : -14, largest = e4m3 ? 0x7E : 0x7B;
  const double magnitude = ::fabs(v);
  int exponent = 0, code = largest + 1;
  if (magnitude < 1e6) {
    ::frexp(magnitude, &exponent);
    exponent = magnitude == 0 ? lowest : std::max(exponent - 1, lowest);
    // In units of the last place; a mantissa that rounds up carries into the exponent.
    code = ((exponent - lowest) << mantissa) + int(::rint(::ldexp(magnitude, mantissa - exponent)));
  }
  if (code > largest) code = saturation == __NV_SATFINITE ? largest : e4m3 ? 0x7F : 0x7C;
  return (unsigned char)(code | (std::signbit(v) ? 0x80 : 0));
}
inline float fp8_value(unsigned char bits, __nv_fp8_interpretation_t form) {
  if (form == __NV_E5M2) return half_value(uint16_t(bits << 8));
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  const float magnitude = (bits & 0x7F) == 0x7F ? NAN
                          : exponent == 0 ? ldexpf(float(mantissa), -9) : ldexpf(float(8 + mantissa), exponent - 10);
  return bits & 0x80 ? -magnitude : magnitude;
}
}  // namespace cuda_on_cpu

inline __nv_fp8_storage_t __nv_cvt_double_to_fp8(double v, __nv_saturation_t s, __nv_fp8_interpretation_t f) {
  return cuda_on_cpu::fp8_bits(v, s, f);
}
inline __nv_fp8_storage_t __nv_cvt_float_to_fp8(float v, __nv_saturation_t s, __nv_fp8_interpretation_t f) {
  return cuda_on_cpu::fp8_bits(v, s, f);
}
inline __nv_fp8_storage_t __nv_cvt_halfraw_to_fp8(__half_raw v, __nv_saturation_t s, __nv_fp8_interpretation_t f) {
  return cuda_on_cpu::fp8_bits(cuda_on_cpu::half_value(v.x), s, f);
}
inline __nv_fp8_storage_t __nv_cvt_bfloat16raw_to_fp8(__nv_bfloat16_raw v, __nv_saturation_t s,
                                                      __nv_fp8_interpretation_t f) {
  return cuda_on_cpu::fp8_bits(cuda_on_cpu::bfloat16_value(v.x), s, f);
}
inline __half_raw __nv_cvt_fp8_to_halfraw(__nv_fp8_storage_t v, __nv_fp8_interpretation_t f) {
  return {cuda_on_cpu::half_bits(cuda_on_cpu::fp8_value(v, f))};
}
// Pairs: the first is in the low byte.
#define CUDA_ON_CPU_FP8_PAIR(name, kind, one)                                                               \
  inline __nv_fp8x2_storage_t name(kind v, __nv_saturation_t s, __nv_fp8_interpretation_t f) {              \
    return __nv_fp8x2_storage_t(one({v.x}, s, f) | one({v.y}, s, f) << 8);                                  \
  }
CUDA_ON_CPU_FP8_PAIR(__nv_cvt_float2_to_fp8x2, float2, __nv_cvt_float_to_fp8)
CUDA_ON_CPU_FP8_PAIR(__nv_cvt_double2_to_fp8x2, double2, __nv_cvt_double_to_fp8)
CUDA_ON_CPU_FP8_PAIR(__nv_cvt_halfraw2_to_fp8x2, __half2_raw, __nv_cvt_halfraw_to_fp8)
CUDA_ON_CPU_FP8_PAIR(__nv_cvt_bfloat16raw2_to_fp8x2, __nv_bfloat162_raw, __nv_cvt_bfloat16raw_to_fp8)
#undef CUDA_ON_CPU_FP8_PAIR
inline __half2_raw __nv_cvt_fp8x2_to_halfraw2(__nv_fp8x2_storage_t v, __nv_fp8_interpretation_t f) {
  return {__nv_cvt_fp8_to_halfraw(__nv_fp8_storage_t(v), f).x, __nv_cvt_fp8_to_halfraw(__nv_fp8_storage_t(v >> 8), f).x};
}

#define CUDA_ON_CPU_FP8(form, FORM)                                                                         \
  struct __nv_fp8_##form {                                                                                  \
    __nv_fp8_storage_t __x;                                                                                 \
    __nv_fp8_##form() = default;                                                                            \
    template <class T, class = decltype(double(std::declval<T>()))>                                         \
    explicit __nv_fp8_##form(T v) : __x(cuda_on_cpu::fp8_bits(double(v), __NV_SATFINITE, FORM)) {}          \
    template <class T, class = std::enable_if_t<std::is_arithmetic<T>::value>>                              \
    explicit operator T() const { return T(cuda_on_cpu::fp8_value(__x, FORM)); }                            \
    explicit operator __half() const { return __half(cuda_on_cpu::fp8_value(__x, FORM)); }                  \
    explicit operator __nv_bfloat16() const { return __nv_bfloat16(cuda_on_cpu::fp8_value(__x, FORM)); }    \
  };                                                                                                        \
  struct __attribute__((aligned(2))) __nv_fp8x2_##form {                                                    \
    __nv_fp8x2_storage_t __x;                                                                               \
    __nv_fp8x2_##form() = default;                                                                          \
    explicit __nv_fp8x2_##form(float2 v) : __x(__nv_cvt_float2_to_fp8x2(v, __NV_SATFINITE, FORM)) {}        \
    explicit __nv_fp8x2_##form(double2 v) : __x(__nv_cvt_double2_to_fp8x2(v, __NV_SATFINITE, FORM)) {}      \
    explicit __nv_fp8x2_##form(__half2 v) : __nv_fp8x2_##form(__half22float2(v)) {}                         \
    explicit __nv_fp8x2_##form(__nv_bfloat162 v) : __nv_fp8x2_##form(__bfloat1622float2(v)) {}              \
    explicit operator float2() const {                                                                      \
      return {cuda_on_cpu::fp8_value((unsigned char)__x, FORM), cuda_on_cpu::fp8_value(__x >> 8, FORM)};    \
    }                                                                                                       \
    explicit operator __half2() const { return __float22half2_rn(float2(*this)); }                          \
  };                                                                                                        \
  struct __attribute__((aligned(4))) __nv_fp8x4_##form {                                                    \
    __nv_fp8x4_storage_t __x;                                                                               \
    __nv_fp8x4_##form() = default;                                                                          \
    explicit __nv_fp8x4_##form(float4 v)                                                                    \
        : __x(__nv_fp8x2_##form(make_float2(v.x, v.y)).__x |                                                \
              unsigned(__nv_fp8x2_##form(make_float2(v.z, v.w)).__x) << 16) {}                              \
    __nv_fp8x4_##form(__half2 low, __half2 high)                                                            \
        : __x(__nv_fp8x2_##form(low).__x | unsigned(__nv_fp8x2_##form(high).__x) << 16) {}                  \
    __nv_fp8x4_##form(__nv_bfloat162 low, __nv_bfloat162 high)                                              \
        : __x(__nv_fp8x2_##form(low).__x | unsigned(__nv_fp8x2_##form(high).__x) << 16) {}                  \
    explicit operator float4() const {                                                                      \
      __nv_fp8x2_##form low, high;                                                                          \
      low.__x = __nv_fp8x2_storage_t(__x), high.__x = __nv_fp8x2_storage_t(__x >> 16);                      \
      const float2 a(low), b(high);                                                                         \
      return make_float4(a.x, a.y, b.x, b.y);                                                               \
    }                                                                                                       \
  };
CUDA_ON_CPU_FP8(e4m3, __NV_E4M3)
CUDA_ON_CPU_FP8(e5m2, __NV_E5M2)
#undef CUDA_ON_CPU_FP8
