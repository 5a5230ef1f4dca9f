// What inline PTX moves and multiplies tiles with: asynchronous copies into shared memory, `ldmatrix`, `mma.sync`.
// The places of elements in a warp's registers are those of the PTX manual, chapters on warp-level matrix instructions.
#pragma once
#include <map>
#include <vector>

#include "device.h"

namespace cuda_on_cpu {
// An address of shared memory as 32 bits, and back: the nearest one to what was asked for last.
inline thread_local uintptr_t last_shared = 0;
inline size_t shared_address(const void* p) { return last_shared = reinterpret_cast<uintptr_t>(p); }
inline char* at_shared(size_t low) {
  constexpr uintptr_t span = uintptr_t(1) << 32;
  uintptr_t found = (last_shared & ~(span - 1)) | (low & (span - 1));
  if (found + span / 2 < last_shared) found += span;
  else if (found > last_shared + span / 2) found -= span;
  return reinterpret_cast<char*>(found);
}

// Copies that a thread has begun arrive when it waits for them, and not before: who forgets to wait reads what was there.
struct Copy { char* to; const char* from; size_t bytes, given, group; };
struct Copies {
  uint64_t serial = 0;
  size_t group = 0;
  std::vector<Copy> begun;
};
inline Copies& copies() {
  static thread_local std::map<unsigned, Copies> of_threads;
  Copies& own = of_threads[here->current];
  if (own.serial != here->serial) own = {here->serial, 0, {}};
  return own;
}
inline void copy_async(void* to, const void* from, size_t bytes, size_t given) {
  const auto low = (reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) & (bytes - 1);
  if (low != 0) report(Fault::candidate, "cp.async of %zu bytes between addresses that are not aligned to them", bytes);
  copies().begun.push_back({static_cast<char*>(to), static_cast<const char*>(from), bytes, given < bytes ? given : bytes,
                            copies().group});
}
inline void commit_copies() { ++copies().group; }
// Waits until at most `left` committed groups are under way; `all` waits for what was not committed too.
inline void wait_for_copies(size_t left, bool all = false) {
  Copies& own = copies();
  size_t kept = 0;
  for (const Copy& one : own.begun) {
    if (!all && one.group + left >= own.group) {
      own.begun[kept++] = one;
      continue;
    }
    std::memcpy(one.to, one.from, one.given);
    std::memset(one.to + one.given, 0, one.bytes - one.given);
  }
  own.begun.resize(kept);
}

// Lane l gives the address of row l % 8 of the matrix l / 8, and gets elements 2 (l % 4) and the next one of row l / 4.
template <bool transposed, size_t N>
void load_matrices(uint32_t (&out)[N], const char* row) {
  exchange(0xFFFFFFFFu, row);
  const unsigned self = lane();
  for (unsigned m = 0; m < N; ++m) {
    uint16_t pair[2];
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned r = transposed ? self % 4 * 2 + i : self / 4, c = transposed ? self / 4 : self % 4 * 2 + i;
      std::memcpy(&pair[i], given_by<const char*>(m * 8 + r) + 2 * c, 2);
    }
    out[m] = uint32_t(pair[1]) << 16 | pair[0];
  }
  __syncwarp();
}

struct F16 {
  static constexpr unsigned in_register = 2;
  static float value(uint32_t bits, unsigned i) { return __half2float(__ushort_as_half(uint16_t(bits >> (16 * i)))); }
};
struct Bf16 {
  static constexpr unsigned in_register = 2;
  static float value(uint32_t bits, unsigned i) { return __uint_as_float(bits >> (16 * i) << 16); }
};
struct Tf32 {
  static constexpr unsigned in_register = 1;
  static float value(uint32_t bits, unsigned) { return __uint_as_float(bits & 0xFFFFE000u); }
};
template <class Kind, size_t NA, size_t NB>
void multiply_tiles(float (&d)[4], const uint32_t (&a)[NA], const uint32_t (&b)[NB], const float (&c)[4]) {
  constexpr unsigned each = Kind::in_register, width = 4 * each, K = width * NB;
  float left[16][K], right[K][8];
  for (unsigned r = 0; r < NA; ++r) {
    exchange(0xFFFFFFFFu, a[r]);
    for (unsigned l = 0; l < 32; ++l)
      for (unsigned i = 0; i < each; ++i)
        left[l / 4 + 8 * (r % 2)][l % 4 * each + i + width * (r / 2)] = Kind::value(given_by<uint32_t>(l), i);
  }
  for (unsigned r = 0; r < NB; ++r) {
    exchange(0xFFFFFFFFu, b[r]);
    for (unsigned l = 0; l < 32; ++l)
      for (unsigned i = 0; i < each; ++i)
        right[l % 4 * each + i + width * r][l / 4] = Kind::value(given_by<uint32_t>(l), i);
  }
  for (unsigned e = 0; e < 4; ++e) {
    const unsigned row = lane() / 4 + e / 2 * 8, column = lane() % 4 * 2 + e % 2;
    float sum = c[e];
    for (unsigned k = 0; k < K; ++k) sum += left[row][k] * right[k][column];
    d[e] = sum;
  }
}
}  // namespace cuda_on_cpu

inline size_t __cvta_generic_to_shared(const void* p) { return cuda_on_cpu::shared_address(p); }
inline void* __cvta_shared_to_generic(size_t p) { return cuda_on_cpu::at_shared(p); }
inline void __pipeline_memcpy_async(void* to, const void* from, size_t bytes, size_t zeros = 0) {
  cuda_on_cpu::copy_async(to, from, bytes, bytes - zeros);
}
inline void __pipeline_commit() { cuda_on_cpu::commit_copies(); }
inline void __pipeline_wait_prior(size_t left) { cuda_on_cpu::wait_for_copies(left); }
