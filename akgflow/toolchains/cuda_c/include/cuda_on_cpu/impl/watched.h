// Finds the line of a fault: what GCC calls for each access where a text is built with -fsanitize=thread, in place of
// ThreadSanitizer's own library, which knows nothing of fibers. A fault is known already; this says where it is.
//
// Two accesses of one byte race if threads of one block make them with no barrier of the block between, nor of the warp
// where both are of one; or threads of different blocks. At least one writes, and not both are atomic. An access beside
// a tensor, where its guards are, is a fault by itself.
#pragma once
#include <dlfcn.h>

#include <mutex>
#include <unordered_map>

#include "fibers.h"

#define CUDA_ON_CPU_UNWATCHED __attribute__((no_sanitize("thread")))
#define CUDA_ON_CPU_SEEN extern "C" __attribute__((used, visibility("hidden"), no_sanitize("thread"))) inline

namespace cuda_on_cpu {

struct Access {
  const void* code;  // the instruction behind it; null: there was none
  uint64_t block;
  unsigned thread, barriers, exchanges;
  bool atomic;
};
struct Byte { Access wrote, read; };

// Of the first fault: its instructions, as offsets into the library. A race within a block goes before one of blocks.
inline size_t watched_first = 0, watched_second = 0;
inline int watched_rank = 0;

CUDA_ON_CPU_UNWATCHED inline bool is_tensors(uintptr_t at, bool& outside) {
  for (int i = 0; i < fence_count; ++i) {
    if (at < fences[i].low || at >= fences[i].high) continue;
    outside = at < fences[i].from || at >= fences[i].to;
    return true;
  }
  return false;
}

CUDA_ON_CPU_UNWATCHED inline size_t offset_of(const void* code) {
  Dl_info found;
  if (code == nullptr || dladdr(code, &found) == 0) return 0;
  return size_t(static_cast<const char*>(code) - static_cast<const char*>(found.dli_fbase));
}

CUDA_ON_CPU_UNWATCHED inline void note(int rank, const void* first, const void* second) {
  if (rank <= watched_rank) return;
  watched_rank = rank;
  watched_first = offset_of(first);
  watched_second = offset_of(second);
}

CUDA_ON_CPU_UNWATCHED inline int races(const Access& one, const Access& other, bool is_shared) {
  if (one.code == nullptr || (one.atomic && other.atomic)) return 0;
  if (one.block != other.block) return is_shared ? 0 : 1;
  if (one.thread == other.thread || one.barriers != other.barriers) return 0;
  return one.thread / WARP == other.thread / WARP && one.exchanges != other.exchanges ? 0 : 2;
}

CUDA_ON_CPU_UNWATCHED inline void watch(const void* address, size_t bytes, bool writes, bool atomic, const void* code) {
  // What this function itself calls is watched, too.
  static thread_local bool inside = false;
  Block* const own = here;
  if (inside || own == nullptr || !own->running) return;
  struct Inside {
    CUDA_ON_CPU_UNWATCHED Inside() { inside = true; }
    CUDA_ON_CPU_UNWATCHED ~Inside() { inside = false; }
  } const guard;
  static std::mutex one_at_a_time;
  static std::unordered_map<uintptr_t, Byte> bytes_seen;
  static std::atomic<uint64_t> blocks{0};
  static thread_local uint64_t block = 0, serial = 0;
  const auto at = reinterpret_cast<uintptr_t>(address);
  bool outside = false;
  const bool is_shared = own->shares(static_cast<const unsigned char*>(address));
  if (!is_shared && !is_tensors(at, outside)) return;
  if (outside) note(3, code, nullptr);
  if (serial != own->serial) serial = own->serial, block = ++blocks;
  const Fiber& fiber = own->fibers[own->current];
  const Access now{code, block, own->current, own->barriers, fiber.exchanges, atomic};
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  for (size_t i = 0; i < bytes; ++i) {
    Byte& byte = bytes_seen[at + i];
    int rank = races(byte.wrote, now, is_shared);
    if (rank != 0) note(rank, code, byte.wrote.code);
    if (writes && (rank = races(byte.read, now, is_shared)) != 0) note(rank, code, byte.read.code);
    (writes ? byte.wrote : byte.read) = now;
  }
}

}  // namespace cuda_on_cpu

#define CUDA_ON_CPU_PLAIN(N)                                                                                      \
  CUDA_ON_CPU_SEEN void __tsan_read##N(void* p) { cuda_on_cpu::watch(p, N, false, false, __builtin_return_address(0)); } \
  CUDA_ON_CPU_SEEN void __tsan_write##N(void* p) { cuda_on_cpu::watch(p, N, true, false, __builtin_return_address(0)); } \
  CUDA_ON_CPU_SEEN void __tsan_unaligned_read##N(void* p) {                                                       \
    cuda_on_cpu::watch(p, N, false, false, __builtin_return_address(0));                                          \
  }                                                                                                               \
  CUDA_ON_CPU_SEEN void __tsan_unaligned_write##N(void* p) {                                                      \
    cuda_on_cpu::watch(p, N, true, false, __builtin_return_address(0));                                           \
  }
CUDA_ON_CPU_PLAIN(1)
CUDA_ON_CPU_PLAIN(2)
CUDA_ON_CPU_PLAIN(4)
CUDA_ON_CPU_PLAIN(8)
CUDA_ON_CPU_PLAIN(16)
CUDA_ON_CPU_SEEN void __tsan_read_range(void* p, unsigned long n) {
  cuda_on_cpu::watch(p, n, false, false, __builtin_return_address(0));
}
CUDA_ON_CPU_SEEN void __tsan_write_range(void* p, unsigned long n) {
  cuda_on_cpu::watch(p, n, true, false, __builtin_return_address(0));
}
CUDA_ON_CPU_SEEN void __tsan_init() {}
CUDA_ON_CPU_SEEN void __tsan_func_entry(void*) {}
CUDA_ON_CPU_SEEN void __tsan_func_exit() {}
CUDA_ON_CPU_SEEN void __tsan_vptr_update(void** p, void* v) { *p = v; }
CUDA_ON_CPU_SEEN void __tsan_vptr_read(void**) {}
CUDA_ON_CPU_SEEN void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
CUDA_ON_CPU_SEEN void __tsan_atomic_signal_fence(int) {}

#define CUDA_ON_CPU_WATCH(P, WRITES) cuda_on_cpu::watch((const void*)(P), sizeof *(P), WRITES, true, __builtin_return_address(0))
#define CUDA_ON_CPU_FETCH(BITS, T, NAME)                                                                          \
  CUDA_ON_CPU_SEEN T __tsan_atomic##BITS##_##NAME(volatile T* p, T v, int) {                                      \
    CUDA_ON_CPU_WATCH(p, true);                                                                                   \
    return __atomic_##NAME(p, v, __ATOMIC_SEQ_CST);                                                               \
  }
#define CUDA_ON_CPU_ATOMIC(BITS, T)                                                                               \
  CUDA_ON_CPU_SEEN T __tsan_atomic##BITS##_load(const volatile T* p, int) {                                       \
    CUDA_ON_CPU_WATCH(p, false);                                                                                  \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                  \
  }                                                                                                               \
  CUDA_ON_CPU_SEEN void __tsan_atomic##BITS##_store(volatile T* p, T v, int) {                                    \
    CUDA_ON_CPU_WATCH(p, true);                                                                                   \
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                                     \
  }                                                                                                               \
  CUDA_ON_CPU_SEEN T __tsan_atomic##BITS##_exchange(volatile T* p, T v, int) {                                    \
    CUDA_ON_CPU_WATCH(p, true);                                                                                   \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                           \
  }                                                                                                               \
  CUDA_ON_CPU_FETCH(BITS, T, fetch_add)                                                                           \
  CUDA_ON_CPU_FETCH(BITS, T, fetch_sub)                                                                           \
  CUDA_ON_CPU_FETCH(BITS, T, fetch_and)                                                                           \
  CUDA_ON_CPU_FETCH(BITS, T, fetch_or)                                                                            \
  CUDA_ON_CPU_FETCH(BITS, T, fetch_xor)                                                                           \
  CUDA_ON_CPU_FETCH(BITS, T, fetch_nand)                                                                          \
  CUDA_ON_CPU_SEEN int __tsan_atomic##BITS##_compare_exchange_strong(volatile T* p, T* e, T v, int, int) {        \
    CUDA_ON_CPU_WATCH(p, true);                                                                                   \
    return __atomic_compare_exchange_n(p, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                       \
  }                                                                                                               \
  CUDA_ON_CPU_SEEN int __tsan_atomic##BITS##_compare_exchange_weak(volatile T* p, T* e, T v, int, int) {          \
    CUDA_ON_CPU_WATCH(p, true);                                                                                   \
    return __atomic_compare_exchange_n(p, e, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                        \
  }                                                                                                               \
  CUDA_ON_CPU_SEEN T __tsan_atomic##BITS##_compare_exchange_val(volatile T* p, T e, T v, int, int) {              \
    CUDA_ON_CPU_WATCH(p, true);                                                                                   \
    __atomic_compare_exchange_n(p, &e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                             \
    return e;                                                                                                     \
  }
CUDA_ON_CPU_ATOMIC(8, unsigned char)
CUDA_ON_CPU_ATOMIC(16, unsigned short)
CUDA_ON_CPU_ATOMIC(32, unsigned)
CUDA_ON_CPU_ATOMIC(64, unsigned long)

extern "C" __attribute__((used, visibility("default"))) inline void cuda_on_cpu_watched(size_t* found) {
  found[0] = cuda_on_cpu::watched_first;
  found[1] = cuda_on_cpu::watched_second;
}
