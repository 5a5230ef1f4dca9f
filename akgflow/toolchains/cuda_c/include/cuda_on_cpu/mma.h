// Matrix units of a warp (`nvcuda::wmma`): each lane holds neighbouring elements of a tile. Which elements a lane holds is
// not defined on a device either, so that only what treats all of them alike is right there and here.
#pragma once
#include "impl/device.h"

namespace nvcuda {
namespace wmma {
struct matrix_a; struct matrix_b; struct accumulator;
struct row_major; struct col_major;
enum layout_t { mem_row_major, mem_col_major };
namespace precision { struct tf32; }

template <class T> struct held { using type = T; };
template <> struct held<precision::tf32> { using type = float; };

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
  using element_type = typename held<T>::type;
  static constexpr int rows = std::is_same<Use, matrix_b>::value ? K : M, columns = std::is_same<Use, matrix_a>::value ? K : N;
  static constexpr int num_elements = rows * columns / 32;
  element_type x[num_elements];
};

// The place of a lane's element in memory.
template <class F> size_t place(int i, unsigned leading, bool by_rows) {
  const int e = int(cuda_on_cpu::lane()) * F::num_elements + i, row = e / F::columns, column = e % F::columns;
  return by_rows ? size_t(row) * leading + column : size_t(column) * leading + row;
}
template <class Use, int M, int N, int K, class T, class L, class V>
void fill_fragment(fragment<Use, M, N, K, T, L>& f, const V& value) {
  for (auto& one : f.x) one = value;
}
template <class Use, int M, int N, int K, class T, class L, class V>
void load_matrix_sync(fragment<Use, M, N, K, T, L>& f, const V* from, unsigned leading) {
  using F = fragment<Use, M, N, K, T, L>;
  static_assert(!std::is_void<L>::value, "an accumulator is loaded with a layout");
  for (int i = 0; i < F::num_elements; ++i) f.x[i] = from[place<F>(i, leading, std::is_same<L, row_major>::value)];
  __syncwarp();
}
template <int M, int N, int K, class T, class V>
void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const V* from, unsigned leading, layout_t layout) {
  using F = fragment<accumulator, M, N, K, T>;
  for (int i = 0; i < F::num_elements; ++i) f.x[i] = from[place<F>(i, leading, layout == mem_row_major)];
  __syncwarp();
}
template <int M, int N, int K, class T, class V>
void store_matrix_sync(V* to, const fragment<accumulator, M, N, K, T>& f, unsigned leading, layout_t layout) {
  using F = fragment<accumulator, M, N, K, T>;
  for (int i = 0; i < F::num_elements; ++i) to[place<F>(i, leading, layout == mem_row_major)] = f.x[i];
  __syncwarp();
}

// tf32 keeps ten bits of the mantissa; the matrix units ignore the rest of what was not rounded before.
inline float __float_to_tf32(float v) { return __uint_as_float((__float_as_uint(v) + 0x1000u) & 0xFFFFE000u); }
template <class T> double operand(const typename held<T>::type& v) {
  if constexpr (std::is_same<T, precision::tf32>::value) return __uint_as_float(__float_as_uint(v) & 0xFFFFE000u);
  else if constexpr (std::is_arithmetic<typename held<T>::type>::value) return double(v);
  else return double(float(v));
}
// All elements of a tile, from all lanes.
template <class F, class T> void gather(const F& f, double (&all)[F::rows * F::columns]) {
  for (int i = 0; i < F::num_elements; ++i) {
    cuda_on_cpu::exchange(0xFFFFFFFFu, operand<T>(f.x[i]));
    for (unsigned lane = 0; lane < 32; ++lane) all[lane * F::num_elements + i] = cuda_on_cpu::given_by<double>(lane);
  }
}
template <int M, int N, int K, class D, class A, class LA, class B, class LB, class C>
void mma_sync(fragment<accumulator, M, N, K, D>& d, const fragment<matrix_a, M, N, K, A, LA>& a,
              const fragment<matrix_b, M, N, K, B, LB>& b, const fragment<accumulator, M, N, K, C>& c, bool = false) {
  double left[M * K], right[K * N];
  gather<fragment<matrix_a, M, N, K, A, LA>, A>(a, left);
  gather<fragment<matrix_b, M, N, K, B, LB>, B>(b, right);
  using F = fragment<accumulator, M, N, K, D>;
  for (int i = 0; i < F::num_elements; ++i) {
    const int e = int(cuda_on_cpu::lane()) * F::num_elements + i, row = e / N, column = e % N;
    double sum = operand<C>(c.x[i]);
    for (int k = 0; k < K; ++k) {
      sum += left[row * K + k] * right[k * N + column];
      if constexpr (!std::is_same<C, double>::value && !std::is_integral<C>::value) sum = float(sum);
    }
    d.x[i] = typename F::element_type(std::conditional_t<std::is_arithmetic<D>::value, D, float>(sum));
  }
}
}  // namespace wmma
}  // namespace nvcuda
