// What went wrong in a kernel, whose fault it is, and where the memory ends that it may touch.
#pragma once
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace cuda_on_cpu {

// `candidate`: a device would go wrong as well, or may. `absent`: the interpreter cannot do it; a device can.
enum class Fault : int { none, candidate, absent };

// Which kernel runs, and how it was launched: each report ends with it.
inline char launched_as[256];
inline char where[160];

// The first thing that went wrong in any block; Python reads it after each call.
inline char first_error[1400];
inline Fault first_fault = Fault::none;
inline std::atomic<bool> failed{false}, did_atomics{false};
template <class... Args>
void report(Fault fault, const char* format, Args... args) {
  if (failed.exchange(true)) return;
  first_fault = fault;
  char words[900];
  if constexpr (sizeof...(Args) == 0) std::snprintf(words, sizeof words, "%s", format);
  else std::snprintf(words, sizeof words, format, args...);
  std::snprintf(first_error, sizeof first_error, "%s%s%s%s", words, launched_as[0] ? "; in " : "", launched_as, where);
}

// Memory of a tensor with pages around it that cannot be touched: `from` to `to` is the tensor's.
struct Fence { uintptr_t low, from, to, high; char name[96]; };
constexpr int MOST_FENCES = 512;
inline Fence fences[MOST_FENCES];
inline int fence_count = 0;

// Says what is at an address that cannot be touched.
inline void describe(uintptr_t address, char* out, size_t size) {
  for (int i = 0; i < fence_count; ++i) {
    const Fence& f = fences[i];
    if (address < f.low || address >= f.high) continue;
    if (address >= f.to) {
      std::snprintf(out, size, "%llu bytes past the end of %s", (unsigned long long)(address - f.to), f.name);
    } else if (address < f.from) {
      std::snprintf(out, size, "%llu bytes before the start of %s", (unsigned long long)(f.from - address), f.name);
    } else {
      std::snprintf(out, size, "in %s", f.name);
    }
    return;
  }
  if (address < 4096) std::snprintf(out, size, "at a null pointer");
  else std::snprintf(out, size, "at an address that is no tensor's");
}

}  // namespace cuda_on_cpu
