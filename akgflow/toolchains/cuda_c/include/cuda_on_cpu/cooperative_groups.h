// Cooperative groups: the grid, the block, tiles of a warp, and the lanes that are active together.
#pragma once
#include "impl/device.h"

namespace cooperative_groups {

class thread_block {
 public:
  void sync() const { cuda_on_cpu::block_barrier(0, 0); }
  unsigned thread_rank() const { return cuda_on_cpu::here->current; }
  unsigned size() const { return cuda_on_cpu::here->size; }
  unsigned num_threads() const { return size(); }
  dim3 group_index() const { return blockIdx; }
  dim3 thread_index() const { return threadIdx; }
  dim3 group_dim() const { return blockDim; }
  dim3 dim_threads() const { return blockDim; }
};
inline thread_block this_thread_block() { return {}; }

// The whole grid, of a kernel that cudaLaunchCooperativeKernel launches.
class grid_group {
 public:
  void sync() const { cuda_on_cpu::here->wait(cuda_on_cpu::State::at_grid_barrier); }
  bool is_valid() const { return cuda_on_cpu::here->others != nullptr; }
  unsigned long long num_blocks() const { return 1ull * gridDim.x * gridDim.y * gridDim.z; }
  unsigned long long block_rank() const {
    return (1ull * blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  }
  unsigned long long num_threads() const { return num_blocks() * cuda_on_cpu::here->size; }
  unsigned long long size() const { return num_threads(); }
  unsigned long long thread_rank() const { return block_rank() * cuda_on_cpu::here->size + cuda_on_cpu::here->current; }
  dim3 group_dim() const { return gridDim; }
  dim3 dim_blocks() const { return gridDim; }
  dim3 block_index() const { return blockIdx; }
};
inline grid_group this_grid() { return {}; }

// Lanes of one warp that act together. `mask_` are their places in the warp.
class coalesced_group {
 public:
  explicit coalesced_group(unsigned mask) : mask_(mask) {}
  void sync() const { __syncwarp(mask_); }
  unsigned size() const { return unsigned(__builtin_popcount(mask_)); }
  unsigned num_threads() const { return size(); }
  unsigned thread_rank() const { return unsigned(__builtin_popcount(mask_ & ((1u << cuda_on_cpu::lane()) - 1))); }
  template <class T> T shfl(T value, unsigned rank) const { return __shfl_sync(mask_, value, int(place(rank))); }
  template <class T> T shfl_down(T value, unsigned by) const {
    const unsigned rank = thread_rank() + by;
    const T other = shfl(value, rank < size() ? rank : thread_rank());
    return rank < size() ? other : value;
  }
  template <class T> T shfl_up(T value, unsigned by) const {
    const unsigned rank = thread_rank();
    const T other = shfl(value, rank >= by ? rank - by : rank);
    return rank >= by ? other : value;
  }
  template <class T> T shfl_xor(T value, unsigned with) const { return shfl(value, thread_rank() ^ with); }
  int any(int predicate) const { return __any_sync(mask_, predicate); }
  int all(int predicate) const { return __all_sync(mask_, predicate); }
  unsigned ballot(int predicate) const {
    const unsigned votes = __ballot_sync(mask_, predicate);
    unsigned ranked = 0, rank = 0;
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (mask_ >> lane & 1) ranked |= (votes >> lane & 1) << rank++;
    }
    return ranked;
  }
  unsigned mask() const { return mask_; }

 protected:
  unsigned place(unsigned rank) const {
    for (unsigned lane = 0; lane < 32; ++lane) {
      if ((mask_ >> lane & 1) && rank-- == 0) return lane;
    }
    return cuda_on_cpu::lane();
  }
  unsigned mask_;
};

template <unsigned Size, class Parent = void>
class thread_block_tile : public coalesced_group {
  static_assert(Size >= 1 && Size <= 32 && (Size & (Size - 1)) == 0, "tiles of more than a warp are not interpreted");

 public:
  thread_block_tile() : coalesced_group(mask_of()) {}
  unsigned thread_rank() const { return cuda_on_cpu::lane() % Size; }
  static constexpr unsigned size() { return Size; }
  static constexpr unsigned num_threads() { return Size; }
  unsigned meta_group_rank() const { return cuda_on_cpu::here->current / Size; }
  unsigned meta_group_size() const { return (cuda_on_cpu::here->size + Size - 1) / Size; }

 private:
  static unsigned mask_of() {
    const unsigned ones = Size == 32 ? 0xFFFFFFFFu : (1u << (Size % 32)) - 1;
    return ones << (cuda_on_cpu::lane() / Size * Size);
  }
};
template <unsigned Size, class Parent>
thread_block_tile<Size, Parent> tiled_partition(const Parent&) { return {}; }
template <class Group>
void sync(const Group& group) { group.sync(); }

template <class T> struct plus { T operator()(T a, T b) const { return a + b; } };
template <class T> struct less { T operator()(T a, T b) const { return b < a ? b : a; } };
template <class T> struct greater { T operator()(T a, T b) const { return a < b ? b : a; } };
template <class T> struct bit_and { T operator()(T a, T b) const { return a & b; } };
template <class T> struct bit_or { T operator()(T a, T b) const { return a | b; } };
template <class T> struct bit_xor { T operator()(T a, T b) const { return a ^ b; } };
template <class Group, class T, class Combine>
T reduce(const Group& group, T value, Combine combine) {
  T total = group.shfl(value, 0);
  for (unsigned rank = 1; rank < group.size(); ++rank) total = combine(total, group.shfl(value, rank));
  return total;
}
template <class Group, class T, class Combine = plus<T>>
T inclusive_scan(const Group& group, T value, Combine combine = {}) {
  for (unsigned by = 1; by < group.size(); by *= 2) {
    const T before = group.shfl_up(value, by);
    if (group.thread_rank() >= by) value = combine(before, value);
  }
  return value;
}
template <class Group, class T>
T exclusive_scan(const Group& group, T value) {
  const T sum = inclusive_scan(group, value), before = group.shfl_up(sum, 1);
  return group.thread_rank() ? before : T(0);
}

}  // namespace cooperative_groups
