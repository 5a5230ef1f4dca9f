// The collectives of CUB that one block or one warp calls: reduce, scan, load and store. What is not here, such as
// sorting and whole-device functions, does not compile.
#pragma once
#include <optional>

#include "../impl/device.h"

namespace cub {

struct Sum { template <class T> T operator()(const T& a, const T& b) const { return a + b; } };
struct Max { template <class T> T operator()(const T& a, const T& b) const { return a < b ? b : a; } };
struct Min { template <class T> T operator()(const T& a, const T& b) const { return b < a ? b : a; } };
struct ArgMax {
  template <class P> P operator()(const P& a, const P& b) const {
    return b.value > a.value || (b.value == a.value && b.key < a.key) ? b : a;
  }
};
struct ArgMin {
  template <class P> P operator()(const P& a, const P& b) const {
    return b.value < a.value || (b.value == a.value && b.key < a.key) ? b : a;
  }
};
template <class K, class V> struct KeyValuePair {
  K key;
  V value;
  KeyValuePair() = default;
  KeyValuePair(K key, V value) : key(key), value(value) {}
};
enum BlockReduceAlgorithm { BLOCK_REDUCE_RAKING, BLOCK_REDUCE_RAKING_COMMUTATIVE_ONLY, BLOCK_REDUCE_WARP_REDUCTIONS };
enum BlockScanAlgorithm { BLOCK_SCAN_RAKING, BLOCK_SCAN_RAKING_MEMOIZE, BLOCK_SCAN_WARP_SCANS };
enum BlockLoadAlgorithm { BLOCK_LOAD_DIRECT, BLOCK_LOAD_VECTORIZE, BLOCK_LOAD_TRANSPOSE, BLOCK_LOAD_WARP_TRANSPOSE,
                          BLOCK_LOAD_STRIPED };
enum BlockStoreAlgorithm { BLOCK_STORE_DIRECT, BLOCK_STORE_VECTORIZE, BLOCK_STORE_TRANSPOSE,
                           BLOCK_STORE_WARP_TRANSPOSE, BLOCK_STORE_STRIPED };

// What a thread gets where the result is not defined for it.
template <class T> T undefined() {
  T value;
  std::memset(static_cast<void*>(&value), cuda_on_cpu::poison, sizeof value);
  return value;
}

// All threads of the block give a value; the first one gets the fold of those of the first `valid`, in their order.
template <class T, int X, int A = BLOCK_REDUCE_WARP_REDUCTIONS, int Y = 1, int Z = 1>
class BlockReduce {
 public:
  struct TempStorage { T values[X * Y * Z]; };
  explicit BlockReduce(TempStorage& storage) : storage_(storage) {}
  template <class Combine> T Reduce(T value, Combine combine, int valid = X * Y * Z) {
    storage_.values[cuda_on_cpu::here->current] = value;
    cuda_on_cpu::block_barrier(0, 0);
    if (cuda_on_cpu::here->current != 0) return undefined<T>();
    T total = storage_.values[0];
    for (int i = 1; i < valid; ++i) total = combine(total, storage_.values[i]);
    return total;
  }
  template <int N, class Combine> T Reduce(T (&items)[N], Combine combine) {
    T own = items[0];
    for (int i = 1; i < N; ++i) own = combine(own, items[i]);
    return Reduce(own, combine);
  }
  T Sum(T value, int valid = X * Y * Z) { return Reduce(value, cub::Sum(), valid); }
  template <int N> T Sum(T (&items)[N]) { return Reduce(items, cub::Sum()); }

 private:
  TempStorage& storage_;
};

template <class In> struct as_given { using type = In; };  // keeps an argument out of template deduction
// Scans of one item a thread or of several. `last` takes the combination of all items; where it is no `T`, it is asked, as
// the first warp asks it, what stands before the block's first item.
template <class T, int X, int A = BLOCK_SCAN_RAKING, int Y = 1, int Z = 1>
class BlockScan {
  template <class In> using same = const typename as_given<In>::type;
  template <class C> using is_combine = std::enable_if_t<!std::is_convertible<C, T>::value, int>;

 public:
  struct TempStorage { T values[X * Y * Z], prefix; };
  explicit BlockScan(TempStorage& storage) : storage_(storage) {}

  template <class In, class C> void InclusiveScan(same<In>& in, In& out, C combine) { T all; InclusiveScan(in, out, combine, all); }
  template <class In, class C, class Last, is_combine<C> = 0>
  void InclusiveScan(same<In>& in, In& out, C combine, Last& last) { scan<true>(in, out, {}, combine, last); }
  template <class In, class C, is_combine<C> = 0> void ExclusiveScan(same<In>& in, In& out, C combine) {
    T all;
    scan<false>(in, out, {}, combine, all);
  }
  template <class In, class C, class Last, is_combine<C> = 0>
  void ExclusiveScan(same<In>& in, In& out, C combine, Last& last) { scan<false>(in, out, {}, combine, last); }
  template <class In, class C> void ExclusiveScan(same<In>& in, In& out, T first, C combine) {
    T all;
    scan<false>(in, out, first, combine, all);
  }
  template <class In, class C> void ExclusiveScan(same<In>& in, In& out, T first, C combine, T& all) {
    scan<false>(in, out, first, combine, all);
  }
  template <class In> void InclusiveSum(same<In>& in, In& out) { InclusiveScan(in, out, Sum()); }
  template <class In, class Last> void InclusiveSum(same<In>& in, In& out, Last& last) { InclusiveScan(in, out, Sum(), last); }
  template <class In> void ExclusiveSum(same<In>& in, In& out) { ExclusiveScan(in, out, T(0), Sum()); }
  template <class In, class Last> void ExclusiveSum(same<In>& in, In& out, Last& last) {
    if constexpr (std::is_same<Last, T>::value) ExclusiveScan(in, out, T(0), Sum(), last);
    else ExclusiveScan(in, out, Sum(), last);
  }

 private:
  template <bool inclusive, class C, class Last>
  void scan(const T& in, T& out, std::optional<T> before, C combine, Last& last) {
    const T items[1] = {in};
    T made[1];
    scan<inclusive>(items, made, before, combine, last);
    out = made[0];
  }
  template <bool inclusive, int N, class C, class Last>
  void scan(const T (&items)[N], T (&out)[N], std::optional<T> before, C combine, Last& last) {
    const unsigned self = cuda_on_cpu::here->current, size = cuda_on_cpu::here->size;
    T own = items[0];
    for (int i = 1; i < N; ++i) own = combine(own, items[i]);
    storage_.values[self] = own;
    cuda_on_cpu::block_barrier(0, 0);
    T all = storage_.values[0];
    for (unsigned i = 1; i < size; ++i) all = combine(all, storage_.values[i]);
    if constexpr (std::is_same<Last, T>::value) {
      last = all;
    } else {
      if (self < 32) {
        const T given = last(all);
        if (self == 0) storage_.prefix = given;
      }
      cuda_on_cpu::block_barrier(0, 0);
      before = storage_.prefix;
    }
    const auto after = [&](const T& item) { before = before ? combine(*before, item) : item; };
    for (unsigned i = 0; i < self; ++i) after(storage_.values[i]);
    for (int i = 0; i < N; ++i) {
      const T item = items[i];
      if (!inclusive) out[i] = before ? *before : undefined<T>();
      after(item);
      if (inclusive) out[i] = *before;
    }
  }
  TempStorage& storage_;
};

// `Width` neighbouring lanes of a warp.
template <class T, int Width = 32>
class WarpReduce {
 public:
  struct TempStorage { T values[1]; };
  explicit WarpReduce(TempStorage&) {}
  template <class Combine> T Reduce(T value, Combine combine, int valid = Width) {
    T total = __shfl_sync(0xFFFFFFFFu, value, 0, Width);
    for (int i = 1; i < Width; ++i) {
      const T other = __shfl_sync(0xFFFFFFFFu, value, i, Width);
      if (i < valid) total = combine(total, other);
    }
    return cuda_on_cpu::lane() % Width == 0 ? total : undefined<T>();
  }
  T Sum(T value, int valid = Width) { return Reduce(value, cub::Sum(), valid); }
};
template <class T, int Width = 32>
class WarpScan {
 public:
  struct TempStorage { T values[1]; };
  explicit WarpScan(TempStorage&) {}
  template <class Combine> void InclusiveScan(T value, T& out, Combine combine) {
    out = value;
    for (int by = 1; by < Width; by *= 2) {
      const T before = __shfl_up_sync(0xFFFFFFFFu, out, by, Width);
      if (int(cuda_on_cpu::lane() % Width) >= by) out = combine(before, out);
    }
  }
  void InclusiveSum(T value, T& out) { InclusiveScan(value, out, Sum()); }
  void ExclusiveSum(T value, T& out) {
    T sum;
    InclusiveScan(value, sum, Sum());
    out = sum - value;
  }
};

// Thread t loads and stores items t * N to t * N + N - 1; striped, every X-th.
template <class T, int X, int N, BlockLoadAlgorithm A = BLOCK_LOAD_DIRECT>
class BlockLoad {
 public:
  struct TempStorage { char unused[1]; };
  BlockLoad() = default;
  explicit BlockLoad(TempStorage&) {}
  template <class From> void Load(From from, T (&items)[N]) { Load(from, items, X * N); }
  template <class From> void Load(From from, T (&items)[N], int valid) {
    for (int i = 0; i < N; ++i) if (place(i) < valid) items[i] = from[place(i)];
  }
  template <class From, class Other> void Load(From from, T (&items)[N], int valid, Other other) {
    for (int i = 0; i < N; ++i) items[i] = place(i) < valid ? T(from[place(i)]) : T(other);
  }

 private:
  static int place(int i) {
    const int self = int(cuda_on_cpu::here->current);
    return A == BLOCK_LOAD_STRIPED ? i * X + self : self * N + i;
  }
};
template <class T, int X, int N, BlockStoreAlgorithm A = BLOCK_STORE_DIRECT>
class BlockStore {
 public:
  struct TempStorage { char unused[1]; };
  BlockStore() = default;
  explicit BlockStore(TempStorage&) {}
  template <class To> void Store(To to, T (&items)[N]) { Store(to, items, X * N); }
  template <class To> void Store(To to, T (&items)[N], int valid) {
    const int self = int(cuda_on_cpu::here->current);
    for (int i = 0; i < N; ++i) {
      const int place = A == BLOCK_STORE_STRIPED ? i * X + self : self * N + i;
      if (place < valid) to[place] = items[i];
    }
  }
};

}  // namespace cub
