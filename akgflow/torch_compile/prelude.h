// What the loops below use: our own forms of the few helpers that torch.compile expects of its prefix, and functions
// that vectorise in place of the library's scalar ones.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <omp.h>
#include <vector>

static inline int team() { return THREADS > 0 ? THREADS : omp_get_max_threads(); }

namespace c10 {
template <typename To, typename From> inline To convert(From value) { return static_cast<To>(value); }
}
template <typename T> inline T max_propagate_nan(T a, T b) { return (a != a || a > b) ? a : b; }
template <typename T> inline T min_propagate_nan(T a, T b) { return (a != a || a < b) ? a : b; }
#pragma omp declare reduction(maxnan : float, double : omp_out = max_propagate_nan(omp_out, omp_in)) \
    initializer(omp_priv = -std::numeric_limits<decltype(omp_priv)>::infinity())
#pragma omp declare reduction(minnan : float, double : omp_out = min_propagate_nan(omp_out, omp_in)) \
    initializer(omp_priv = std::numeric_limits<decltype(omp_priv)>::infinity())

// Threads may add to one element.
template <typename T> inline void atomic_add(T* address, T value) {
  #pragma omp atomic
  *address += value;
}

template <typename T> struct IndexValue { int64_t index; T value; };
template <typename T, bool largest> inline IndexValue<T>& index_combine(IndexValue<T>& best, T value, int64_t index) {
  const bool nan = value != value, had = best.value != best.value;
  const bool better = largest ? value > best.value : value < best.value;
  if ((nan && !had) || (!had && better) || ((value == best.value || (nan && had)) && index < best.index)) best = {index, value};
  return best;
}
template <typename T> inline IndexValue<T>& argmax_combine(IndexValue<T>& a, T value, int64_t index) { return index_combine<T, true>(a, value, index); }
template <typename T> inline IndexValue<T>& argmin_combine(IndexValue<T>& a, T value, int64_t index) { return index_combine<T, false>(a, value, index); }
template <typename T> inline IndexValue<T>& argmax_combine(IndexValue<T>& a, const IndexValue<T>& b) { return index_combine<T, true>(a, b.value, b.index); }
template <typename T> inline IndexValue<T>& argmin_combine(IndexValue<T>& a, const IndexValue<T>& b) { return index_combine<T, false>(a, b.value, b.index); }

template <typename T> struct Welford { T mean = T(0), m2 = T(0), weight = T(0); int64_t index = 0; };
template <typename T> inline Welford<T> welford_combine(const Welford<T>& a, const Welford<T>& b) {
  if (a.weight == 0) return b;
  if (b.weight == 0) return a;
  const T delta = b.mean - a.mean, weight = a.weight + b.weight, part = b.weight / weight;
  return {a.mean + delta * part, a.m2 + b.m2 + delta * delta * a.weight * part, weight, -1};
}
template <typename T> inline Welford<T> welford_combine(const Welford<T>& a, T value) {
  const T weight = a.weight + 1, delta = value - a.mean, mean = a.mean + delta / weight;
  return {mean, a.m2 + delta * (value - mean), weight, a.index + 1};
}

namespace c10 {
static inline int64_t div_floor_integer(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}
static inline int64_t mod_floor_integer(int64_t a, int64_t b) { return a - div_floor_integer(a, b) * b; }
}
using c10::div_floor_integer;
using c10::mod_floor_integer;

#define TORCH_CHECK(condition, ...) TVM_FFI_ICHECK(condition)
static std::atomic<int>* inductor_cpu_integer_div_error_flag = nullptr;
static inline void inductor_cpu_throw_if_integer_div_error(std::atomic<int>& error) { TVM_FFI_ICHECK(error.load() == 0); }

namespace fast {
inline double exp(double x) { return std::exp(x); }
inline double tanh(double x) { return std::tanh(x); }

// exp(x) = 2^n exp(f) with |f| <= ln 2 / 2; 2^n in two factors, so that the ends of the range come out as they should.
inline float exp(float x) {
  float clamped = x < -104.0f ? -104.0f : x;
  clamped = clamped > 89.0f ? 89.0f : clamped;
  const float n = std::nearbyint(clamped * 1.44269504088896341f);
  const float f = (clamped - n * 0.693145751953125f) - n * 1.42860682030941723212e-6f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  const int32_t whole = static_cast<int32_t>(n), half = whole >> 1;
  const int32_t bits[2] = {(half + 127) << 23, (whole - half + 127) << 23};
  float low, high;
  std::memcpy(&low, &bits[0], sizeof low);
  std::memcpy(&high, &bits[1], sizeof high);
  return p * low * high;
}

inline float tanh(float x) {
  const float size = std::fabs(x), square = x * x;
  float p = -5.70498872745e-3f;
  p = p * square + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  const float near = p * square * x + x, far = 1.0f - 2.0f / (exp(2.0f * size) + 1.0f);
  return size < 0.625f ? near : std::copysign(far, x);
}
}  // namespace fast
