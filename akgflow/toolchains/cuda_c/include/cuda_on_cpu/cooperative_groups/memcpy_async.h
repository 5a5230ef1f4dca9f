// Copies by a group: they arrive when the group waits.
#pragma once
#include "../cooperative_groups.h"
#include "../impl/tiles.h"

namespace cuda_on_cpu {
inline void copy_bytes(void* to, const void* from, size_t bytes) {
  copies().begun.push_back({static_cast<char*>(to), static_cast<const char*>(from), bytes, bytes, copies().group});
}
}  // namespace cuda_on_cpu
namespace cooperative_groups {
template <class Group, class T, class Size>
void memcpy_async(const Group& group, T* to, const T* from, Size bytes) {
  if (group.thread_rank() == 0) cuda_on_cpu::copy_bytes(to, from, bytes);
  cuda_on_cpu::commit_copies();
}
template <class Group, class T, class ToLayout, class FromLayout>
void memcpy_async(const Group& group, T* to, const ToLayout& room, const T* from, const FromLayout& given) {
  memcpy_async(group, to, from, sizeof(T) * std::min(size_t(room), size_t(given)));
}
template <class Group>
void wait(const Group& group) {
  cuda_on_cpu::wait_for_copies(0, true);
  group.sync();
}
template <unsigned Prior, class Group>
void wait_prior(const Group& group) {
  cuda_on_cpu::wait_for_copies(Prior);
  group.sync();
}
}  // namespace cooperative_groups
