// What device code may use: qualifiers, barriers, warp operations, atomics, intrinsics, vector types.
#pragma once
#include <assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include <type_traits>
#include <utility>

#include "launch.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __forceinline__ inline
#define __inline__ inline
// Empty, because the C++ library writes __attribute__((__noinline__)).
#define __noinline__
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// What was not rewritten to `cuda_on_cpu::shared`: it is neither poisoned nor guarded.
#define __shared__ static thread_local

// Barriers and fences.
#define __syncthreads() (void)::cuda_on_cpu::block_barrier(__LINE__, 0)
#define __syncthreads_count(p) ::cuda_on_cpu::block_barrier(__LINE__, (p) ? 1 : 0)
#define __syncthreads_or(p) (::cuda_on_cpu::block_barrier(__LINE__, (p) ? 1 : 0) != 0)
#define __syncthreads_and(p) (::cuda_on_cpu::block_barrier(__LINE__, (p) ? 0 : 1) == 0)
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { cuda_on_cpu::exchange(mask, 0); }
#define __barrier_sync(id) __syncthreads()
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_block() { __threadfence(); }
inline void __threadfence_system() { __threadfence(); }

namespace cuda_on_cpu {
// In the condition of a loop that waits for memory: the others run before it looks again.
inline bool looks_again() {
  if (here != nullptr) here->look();
  return true;
}
constexpr bool looks() { return __builtin_is_constant_evaluated() || looks_again(); }
}  // namespace cuda_on_cpu

// Warp operations.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  cuda_on_cpu::exchange(mask, value);
  const int lane = cuda_on_cpu::lane();
  return cuda_on_cpu::given_by<T>((lane & ~(width - 1)) + (source & (width - 1)));
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  cuda_on_cpu::exchange(mask, value);
  const int lane = cuda_on_cpu::lane(), from = lane - int(delta);
  return from < (lane & ~(width - 1)) ? value : cuda_on_cpu::given_by<T>(from);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  cuda_on_cpu::exchange(mask, value);
  const int lane = cuda_on_cpu::lane();
  return (lane & (width - 1)) + int(delta) >= width ? value : cuda_on_cpu::given_by<T>(lane + delta);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32) {
  cuda_on_cpu::exchange(mask, value);
  const int lane = cuda_on_cpu::lane(), from = lane ^ with;
  return from >= (lane & ~(width - 1)) + width ? value : cuda_on_cpu::given_by<T>(from);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  cuda_on_cpu::exchange(mask, predicate);
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (cuda_on_cpu::came(lane) && cuda_on_cpu::given_by<int>(lane)) votes |= 1u << lane;
  }
  return votes;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value) {
  cuda_on_cpu::exchange(mask, value);
  unsigned same = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (cuda_on_cpu::came(lane) && cuda_on_cpu::given_by<T>(lane) == value) same |= 1u << lane;
  }
  return same;
}
template <class T>
unsigned __match_all_sync(unsigned mask, T value, int* all) {
  const unsigned same = __match_any_sync(mask, value);
  *all = same == mask;
  return *all ? mask : 0;
}
inline unsigned __activemask() { return cuda_on_cpu::alive_lanes(); }
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
namespace cuda_on_cpu {
template <class T, class Combine>
T reduce(unsigned mask, T value, Combine combine) {
  exchange(mask, value);
  const unsigned self = lane();
  for (unsigned other = 0; other < 32; ++other) {
    if (other != self && came(other)) value = combine(value, given_by<T>(other));
  }
  return value;
}
}  // namespace cuda_on_cpu
#define CUDA_ON_CPU_REDUCE(name, expression)                                              \
  template <class T>                                                                      \
  T name(unsigned mask, T value) {                                                        \
    return cuda_on_cpu::reduce(mask, value, [](T a, T b) -> T { return expression; });    \
  }
CUDA_ON_CPU_REDUCE(__reduce_add_sync, a + b)
CUDA_ON_CPU_REDUCE(__reduce_min_sync, a < b ? a : b)
CUDA_ON_CPU_REDUCE(__reduce_max_sync, a < b ? b : a)
CUDA_ON_CPU_REDUCE(__reduce_and_sync, a & b)
CUDA_ON_CPU_REDUCE(__reduce_or_sync, a | b)
CUDA_ON_CPU_REDUCE(__reduce_xor_sync, a ^ b)
#undef CUDA_ON_CPU_REDUCE

// Atomics: blocks run on several processor threads.
namespace cuda_on_cpu {
template <class T, class Update>
T atomic(T* address, Update update) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
  static_assert(sizeof(T) == sizeof(Bits), "atomics are for 2, 4 and 8 bytes");
  Bits* at = reinterpret_cast<Bits*>(address);
  Bits old = __atomic_load_n(at, __ATOMIC_SEQ_CST), next;
  T value;
  if (here != nullptr) here->look();
  did_atomics.store(true, std::memory_order_relaxed);
  do {
    std::memcpy(&value, &old, sizeof old);
    const T changed = update(value);
    std::memcpy(&next, &changed, sizeof next);
  } while (!__atomic_compare_exchange_n(at, &old, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  if (next != old) progress.fetch_add(1, std::memory_order_relaxed);
  return value;
}
template <class T>
using same = std::common_type_t<T>;  // keeps the second argument out of template deduction
}  // namespace cuda_on_cpu
#define CUDA_ON_CPU_ATOMIC(name, expression)                                        \
  template <class T>                                                                \
  T name(T* address, cuda_on_cpu::same<T> b) {                                      \
    return cuda_on_cpu::atomic(address, [b](T a) -> T { return expression; });      \
  }                                                                                 \
  template <class T>                                                                \
  T name##_block(T* address, cuda_on_cpu::same<T> b) { return name(address, b); }   \
  template <class T>                                                                \
  T name##_system(T* address, cuda_on_cpu::same<T> b) { return name(address, b); }
CUDA_ON_CPU_ATOMIC(atomicAdd, a + b)
CUDA_ON_CPU_ATOMIC(atomicSub, a - b)
CUDA_ON_CPU_ATOMIC(atomicMin, b < a ? b : a)
CUDA_ON_CPU_ATOMIC(atomicMax, a < b ? b : a)
CUDA_ON_CPU_ATOMIC(atomicExch, ((void)a, b))
CUDA_ON_CPU_ATOMIC(atomicAnd, a & b)
CUDA_ON_CPU_ATOMIC(atomicOr, a | b)
CUDA_ON_CPU_ATOMIC(atomicXor, a ^ b)
CUDA_ON_CPU_ATOMIC(atomicInc, a >= b ? 0 : a + 1)
CUDA_ON_CPU_ATOMIC(atomicDec, a == 0 || a > b ? b : a - 1)
#undef CUDA_ON_CPU_ATOMIC
template <class T>
T atomicCAS(T* address, cuda_on_cpu::same<T> compare, cuda_on_cpu::same<T> value) {
  // By bits, as the device compares.
  return cuda_on_cpu::atomic(address, [=](T a) { return std::memcmp(&a, &compare, sizeof a) == 0 ? T(value) : a; });
}
template <class T>
T atomicCAS_block(T* address, cuda_on_cpu::same<T> compare, cuda_on_cpu::same<T> value) {
  return atomicCAS(address, compare, value);
}

// Arithmetic that CUDA names and C++ does not.
template <class A, class B>
constexpr std::common_type_t<A, B> min(A a, B b) { return b < a ? b : a; }
template <class A, class B>
constexpr std::common_type_t<A, B> max(A a, B b) { return a < b ? b : a; }
template <class To, class From>
To __bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}
inline int __float_as_int(float v) { return __bits_as<int>(v); }
inline unsigned __float_as_uint(float v) { return __bits_as<unsigned>(v); }
inline float __int_as_float(int v) { return __bits_as<float>(v); }
inline float __uint_as_float(unsigned v) { return __bits_as<float>(v); }
inline long long __double_as_longlong(double v) { return __bits_as<long long>(v); }
inline double __longlong_as_double(long long v) { return __bits_as<double>(v); }
inline float __expf(float v) { return expf(v); }
inline float __exp10f(float v) { return exp10f(v); }
inline float __logf(float v) { return logf(v); }
inline float __log2f(float v) { return log2f(v); }
inline float __log10f(float v) { return log10f(v); }
inline float __sinf(float v) { return sinf(v); }
inline float __cosf(float v) { return cosf(v); }
inline float __tanf(float v) { return tanf(v); }
inline float __powf(float a, float b) { return powf(a, b); }
inline float __fdividef(float a, float b) { return a / b; }
inline float fdividef(float a, float b) { return a / b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __frcp_rn(float v) { return 1.0f / v; }
inline float __fsqrt_rn(float v) { return sqrtf(v); }
inline float __frsqrt_rn(float v) { return 1.0f / sqrtf(v); }
inline float rsqrtf(float v) { return 1.0f / sqrtf(v); }
inline double rsqrt(double v) { return 1.0 / ::sqrt(v); }
inline float __saturatef(float v) { return v > 0.0f ? (v < 1.0f ? v : 1.0f) : 0.0f; }
inline int __float2int_rn(float v) { return int(rintf(v)); }
inline int __float2int_rz(float v) { return int(v); }
inline int __float2int_rd(float v) { return int(floorf(v)); }
inline int __float2int_ru(float v) { return int(ceilf(v)); }
inline float __int2float_rn(int v) { return float(v); }
inline unsigned __float2uint_rn(float v) { return unsigned(rintf(v)); }
inline float __uint2float_rn(unsigned v) { return float(v); }
inline long long __float2ll_rn(float v) { return (long long)rintf(v); }
inline float __ll2float_rn(long long v) { return float(v); }
inline float __double2float_rn(double v) { return float(v); }
inline float sinpif(float v) { return float(::sin(3.14159265358979323846 * v)); }
inline float cospif(float v) { return float(::cos(3.14159265358979323846 * v)); }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double v) { return ::sqrt(v); }
inline double __fma_rn(double a, double b, double c) { return ::fma(a, b, c); }
inline double __int2double_rn(int v) { return v; }
inline int __double2int_rn(double v) { return int(rint(v)); }
inline int __double2int_rz(double v) { return int(v); }
inline unsigned __float2uint_rz(float v) { return unsigned(v); }
inline unsigned long long __float2ull_rn(float v) { return (unsigned long long)rintf(v); }
inline double normcdf(double v) { return 0.5 * erfc(-v * 0.70710678118654752440); }
inline float erfcxf(float v) { return expf(v * v) * erfcf(v); }
inline float norm3df(float a, float b, float c) { return sqrtf(a * a + b * b + c * c); }
inline float rnorm3df(float a, float b, float c) { return 1.0f / norm3df(a, b, c); }
inline void sincospif(float v, float* s, float* c) { *s = sinpif(v), *c = cospif(v); }
inline double __hiloint2double(int high, int low) {
  return __bits_as<double>((unsigned long long)(unsigned)high << 32 | (unsigned)low);
}
inline void __sincosf(float v, float* s, float* c) { *s = sinf(v), *c = cosf(v); }
inline float rcbrtf(float v) { return 1.0f / cbrtf(v); }
inline float normcdff(float v) { return 0.5f * erfcf(-v * 0.70710678118654752f); }
inline float __tanhf(float v) { return tanhf(v); }
inline void __trap() { cuda_on_cpu::report(cuda_on_cpu::Fault::candidate, "__trap was reached"); }
inline void __nanosleep(unsigned) { cuda_on_cpu::here->wait(cuda_on_cpu::State::looks_again); }
#define __builtin_assume(condition) (void)0
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __clz(int v) { return v ? __builtin_clz(unsigned(v)) : 32; }
inline int __clzll(long long v) { return v ? __builtin_clzll(static_cast<unsigned long long>(v)) : 64; }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline int __mul24(int a, int b) { return a * b; }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline int __mulhi(int a, int b) { return int(int64_t(a) * b >> 32); }
inline unsigned __brev(unsigned v) {
  unsigned out = 0;
  for (int i = 0; i < 32; ++i) out |= (v >> i & 1) << (31 - i);
  return out;
}
inline unsigned long long __brevll(unsigned long long v) {
  return (unsigned long long)__brev(unsigned(v)) << 32 | __brev(unsigned(v >> 32));
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xFFFFFFu) * (b & 0xFFFFFFu); }
inline unsigned __sad(int a, int b, unsigned c) { return unsigned(a > b ? a - b : b - a) + c; }
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned by) {
  return unsigned(((uint64_t(high) << 32 | low) << (by & 31)) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned by) {
  return unsigned((uint64_t(high) << 32 | low) >> (by & 31));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const uint64_t bytes = uint64_t(b) << 32 | a;
  unsigned out = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned which = selector >> (4 * i), byte = unsigned(bytes >> (8 * (which & 7))) & 0xFF;
    out |= (which & 8 ? (byte & 0x80 ? 0xFFu : 0u) : byte) << (8 * i);
  }
  return out;
}
template <class T, class Part>
T cuda_on_cpu_dot4(unsigned a, unsigned b, T sum) {
  for (int i = 0; i < 4; ++i) sum += T(Part(a >> (8 * i))) * T(Part(b >> (8 * i)));
  return sum;
}
inline int __dp4a(int a, int b, int c) { return cuda_on_cpu_dot4<int, signed char>(unsigned(a), unsigned(b), c); }
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) { return cuda_on_cpu_dot4<unsigned, unsigned char>(a, b, c); }
#define CUDA_ON_CPU_LOAD(name) template <class T> T name(const T* p) { return *p; }
CUDA_ON_CPU_LOAD(__ldg)
CUDA_ON_CPU_LOAD(__ldca)
CUDA_ON_CPU_LOAD(__ldcg)
CUDA_ON_CPU_LOAD(__ldcs)
CUDA_ON_CPU_LOAD(__ldlu)
CUDA_ON_CPU_LOAD(__ldcv)
#undef CUDA_ON_CPU_LOAD
#define CUDA_ON_CPU_STORE(name) template <class T> void name(T* p, cuda_on_cpu::same<T> v) { *p = v; }
CUDA_ON_CPU_STORE(__stcg)
CUDA_ON_CPU_STORE(__stwb)
CUDA_ON_CPU_STORE(__stcs)
CUDA_ON_CPU_STORE(__stwt)
#undef CUDA_ON_CPU_STORE
inline long long clock64() {
  static thread_local long long ticks = 0;
  return ++ticks;
}

// Vector types.
#define CUDA_ON_CPU_VECTORS(name, type, align2, align4)                                                     \
  struct name##1 { type x; };                                                                               \
  struct __attribute__((aligned(align2))) name##2 { type x, y; };                                           \
  struct name##3 { type x, y, z; };                                                                         \
  struct __attribute__((aligned(align4))) name##4 { type x, y, z, w; };                                     \
  inline name##1 make_##name##1(type x) { return {x}; }                                                     \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }                                          \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                               \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
CUDA_ON_CPU_VECTORS(char, signed char, 2, 4)
CUDA_ON_CPU_VECTORS(uchar, unsigned char, 2, 4)
CUDA_ON_CPU_VECTORS(short, short, 4, 8)
CUDA_ON_CPU_VECTORS(ushort, unsigned short, 4, 8)
CUDA_ON_CPU_VECTORS(int, int, 8, 16)
CUDA_ON_CPU_VECTORS(float, float, 8, 16)
CUDA_ON_CPU_VECTORS(double, double, 16, 16)
CUDA_ON_CPU_VECTORS(longlong, long long, 16, 16)
CUDA_ON_CPU_VECTORS(ulonglong, unsigned long long, 16, 16)
CUDA_ON_CPU_VECTORS(long, long, 16, 16)
CUDA_ON_CPU_VECTORS(ulong, unsigned long, 16, 16)
#undef CUDA_ON_CPU_VECTORS
struct uint1 { unsigned x; };
struct __attribute__((aligned(8))) uint2 { unsigned x, y; };
struct __attribute__((aligned(16))) uint4 { unsigned x, y, z, w; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
