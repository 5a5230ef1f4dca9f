// One fiber for each CUDA thread of a block, and the scheduler that makes barriers real.
//
// A fiber runs until it waits at a barrier. When no fiber of the block can run, groups that are complete are let go:
// the lanes of a warp operation, or all threads of the block that have not returned. Blocks are spread over OpenMP
// threads; one block stays on one of them, so nothing in here is shared between blocks.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

struct uint3 { unsigned x, y, z; };
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  operator uint3() const { return {x, y, z}; }
};

// Saves the callee-saved registers on the current stack, stores the stack pointer in *save, and goes on at `load`.
extern "C" __attribute__((visibility("hidden"))) void cuda_on_cpu_switch(void** save, void* load);
#if defined(__x86_64__)
asm(R"(
.text
.local cuda_on_cpu_switch
.type cuda_on_cpu_switch, @function
cuda_on_cpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
#elif defined(__aarch64__)
asm(R"(
.text
.local cuda_on_cpu_switch
.type cuda_on_cpu_switch, %function
cuda_on_cpu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");
#else
#error "CUDA C++ is interpreted on x86-64 and aarch64 only"
#endif

namespace cuda_on_cpu {

constexpr int WARP = 32;
constexpr unsigned MOST_THREADS = 1024;
constexpr size_t MOST_SHARED = 227 * 1024;         // of any device
constexpr size_t MOST_WITHOUT_ASKING = 48 * 1024;  // of a launch, unless cudaFuncSetAttribute asked for more
constexpr size_t STACK = 64 * 1024;
constexpr size_t PAGE = 4096;

enum class Order { forward, reverse };
static Order order = Order::forward;

// The first thing that went wrong in any block; Python reads it after each call.
static char first_error[1024];
static std::atomic<bool> failed{false};
template <class... Args>
void report(const char* format, Args... args) {
  if (!failed.exchange(true)) std::snprintf(first_error, sizeof first_error, format, args...);
}

// What the target has, as Python says, and the most dynamic shared memory that was asked for so far.
static size_t shared_limit = MOST_SHARED, shared_asked = MOST_WITHOUT_ASKING;
static char shared_source[512] = "227 KiB";
static int multiprocessors = 4;

enum class State { ready, at_block_barrier, at_warp_barrier, returned };

struct Fiber {
  void* stack_pointer;
  State state;
  uint3 thread;
  unsigned lanes;                       // warp barrier: whom this lane waits for
  unsigned present;                     // warp barrier: who came, once it is let go
  int line;                             // block barrier: where it stands in the source
  int predicate;                        // block barrier: what this thread votes
  alignas(16) unsigned char pending[16];    // what this lane gives to the warp
  alignas(16) unsigned char published[16];  // what others may read of it
};

class Block;
static thread_local Block* here = nullptr;

class Block {
 public:
  Fiber fibers[MOST_THREADS];
  unsigned size = 0;
  unsigned current = 0;
  int votes = 0;  // threads whose predicate was true at the last block barrier
  unsigned char* dynamic_shared;

  Block() {
    const size_t bytes = MOST_THREADS * STACK;
    stacks_ = static_cast<unsigned char*>(
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (stacks_ == MAP_FAILED) {
      std::fprintf(stderr, "no memory for the stacks of %u threads\n", MOST_THREADS);
      std::abort();
    }
    // A page that cannot be touched below each stack: a stack that is too small crashes instead of corrupting.
    for (unsigned i = 0; i < MOST_THREADS; ++i) mprotect(stacks_ + i * STACK, PAGE, PROT_NONE);
    dynamic_shared = static_cast<unsigned char*>(std::aligned_alloc(1024, (MOST_SHARED / 1024 + 1) * 1024));
  }
  ~Block() {
    munmap(stacks_, MOST_THREADS * STACK);
    std::free(dynamic_shared);
  }

  template <class Body>
  void run(const Body& body, dim3 shape, size_t shared_bytes) {
    call_ = [](const void* b) { (*static_cast<const Body*>(b))(); };
    body_ = &body;
    // Real shared memory holds anything at first: NaNs show where a kernel relies on it.
    std::memset(dynamic_shared, 0xFF, shared_bytes);
    size = shape.x * shape.y * shape.z;
    for (unsigned i = 0; i < size; ++i) start(i, {i % shape.x, i / shape.x % shape.y, i / (shape.x * shape.y)});
    here = this;
    unsigned alive = size;
    while (alive > 0) {
      const bool ran = sweep(alive);
      const bool warps = release_warps();
      const bool block = release_block(alive);
      if (alive > 0 && !ran && !warps && !block) return stuck();
    }
  }

  void wait(State state) {
    Fiber& fiber = fibers[current];
    fiber.state = state;
    cuda_on_cpu_switch(&fiber.stack_pointer, scheduler_);
  }

 private:
  unsigned char* stacks_;
  void* scheduler_ = nullptr;
  void (*call_)(const void*) = nullptr;
  const void* body_ = nullptr;

  static void enter() {
    here->call_(here->body_);
    here->wait(State::returned);
    std::abort();
  }

  void start(unsigned i, uint3 thread) {
    Fiber& fiber = fibers[i];
    fiber.state = State::ready;
    fiber.thread = thread;
    void** top = reinterpret_cast<void**>(stacks_ + (i + 1) * STACK - 64);
#if defined(__x86_64__)
    *--top = nullptr;  // keeps the stack aligned as after a call
    *--top = reinterpret_cast<void*>(&enter);
    for (int k = 0; k < 6; ++k) *--top = nullptr;
#else
    top -= 20;
    std::memset(top, 0, 160);
    top[11] = reinterpret_cast<void*>(&enter);
#endif
    fiber.stack_pointer = top;
  }

  bool sweep(unsigned& alive);

  // Lets a group of lanes go once each lane of its mask that has not returned waits with the same mask.
  bool release_warps() {
    bool any = false;
    for (unsigned base = 0; base < size; base += WARP) {
      const unsigned lanes = std::min<unsigned>(WARP, size - base);
      for (unsigned lane = 0; lane < lanes; ++lane) {
        if (fibers[base + lane].state != State::at_warp_barrier) continue;
        const unsigned mask = fibers[base + lane].lanes | 1u << lane;
        if (!complete(base, lanes, mask)) continue;
        any = true;
        let_go(base, lanes, mask);
      }
    }
    return any;
  }

  void let_go(unsigned base, unsigned lanes, unsigned mask) {
    unsigned present = 0;
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if (mask >> lane & 1) present |= unsigned(fibers[base + lane].state == State::at_warp_barrier) << lane;
    }
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if (!(present >> lane & 1)) continue;
      Fiber& fiber = fibers[base + lane];
      std::memcpy(fiber.published, fiber.pending, sizeof fiber.pending);
      fiber.present = present;
      fiber.state = State::ready;
    }
  }

  bool complete(unsigned base, unsigned lanes, unsigned mask) const {
    for (unsigned lane = 0; lane < lanes; ++lane) {
      const Fiber& fiber = fibers[base + lane];
      if (!(mask >> lane & 1) || fiber.state == State::returned) continue;
      if (fiber.state != State::at_warp_barrier || (fiber.lanes | 1u << lane) != mask) return false;
    }
    return true;
  }

  bool release_block(unsigned alive) {
    unsigned waiting = 0;
    int line = 0;
    for (unsigned i = 0; i < size; ++i) {
      if (fibers[i].state != State::at_block_barrier) continue;
      ++waiting;
      if (line != 0 && fibers[i].line != line) {
        report("threads of one block wait at different __syncthreads (lines %d and %d)", line, fibers[i].line);
      }
      line = fibers[i].line;
    }
    if (waiting == 0 || waiting != alive) return false;
    votes = 0;
    for (unsigned i = 0; i < size; ++i) {
      if (fibers[i].state != State::at_block_barrier) continue;
      votes += fibers[i].predicate != 0;
      fibers[i].state = State::ready;
    }
    return true;
  }

  void stuck() const {
    unsigned block = 0, warp = 0;
    for (unsigned i = 0; i < size; ++i) {
      block += fibers[i].state == State::at_block_barrier;
      warp += fibers[i].state == State::at_warp_barrier;
    }
    report("deadlock: %u threads of a block wait at __syncthreads and %u in a warp operation for others that never come",
           block, warp);
  }
};

}  // namespace cuda_on_cpu

// The built-in variables of a CUDA thread.
static thread_local uint3 threadIdx, blockIdx;
static thread_local dim3 blockDim, gridDim;
static constexpr int warpSize = cuda_on_cpu::WARP;

namespace cuda_on_cpu {

inline bool Block::sweep(unsigned& alive) {
  bool any = false;
  for (unsigned k = 0; k < size; ++k) {
    const unsigned i = order == Order::forward ? k : size - 1 - k;
    if (fibers[i].state != State::ready) continue;
    any = true;
    current = i;
    threadIdx = fibers[i].thread;
    cuda_on_cpu_switch(&scheduler_, fibers[i].stack_pointer);
    if (fibers[i].state == State::returned) --alive;
  }
  return any;
}

// The names of the kernels that were launched, one a line.
static char launched[4096];
inline void note_launch(const char* kernel) {
  const size_t used = std::strlen(launched), more = std::strlen(kernel);
  if (used + more + 2 > sizeof launched) return;
  for (const char* at = launched; (at = std::strstr(at, kernel)); ++at) {
    if ((at == launched || at[-1] == '\n') && at[more] == '\n') return;
  }
  std::memcpy(launched + used, kernel, more);
  launched[used + more] = '\n';
}

inline Block& block_of_this_processor_thread() {
  static thread_local std::unique_ptr<Block> block;
  if (!block) block = std::make_unique<Block>();
  return *block;
}

// `call` calls the kernel with `args`; it runs once for each thread of the grid.
template <class Call, class... Args>
void launch(const char* kernel, dim3 grid, dim3 block, size_t shared_bytes, const Call& call, const Args&... args) {
  const auto body = [&] { call(args...); };
  const uint64_t threads = uint64_t(block.x) * block.y * block.z;
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  note_launch(kernel);
  if (threads == 0 || threads > MOST_THREADS || block.z > 64) {
    return report("%s: a block of %ux%ux%u threads is not possible", kernel, block.x, block.y, block.z);
  }
  if (blocks == 0 || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535) {
    return report("%s: a grid of %ux%ux%u blocks is not possible", kernel, grid.x, grid.y, grid.z);
  }
  if (shared_bytes > shared_limit || shared_bytes > MOST_SHARED) {
    return report("%s: %zu bytes of shared memory are more than a block can have: %s", kernel, shared_bytes, shared_source);
  }
  if (shared_bytes > shared_asked) {
    return report("%s: %zu bytes of dynamic shared memory are more than the %zu that a launch may have unless "
                  "cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) asks for more",
                  kernel, shared_bytes, shared_asked);
  }
#pragma omp parallel
  {
    Block& fibers = block_of_this_processor_thread();
#pragma omp for schedule(dynamic)
    for (uint64_t k = 0; k < blocks; ++k) {
      if (failed) continue;
      const uint64_t at = order == Order::forward ? k : blocks - 1 - k;
      gridDim = grid;
      blockDim = block;
      blockIdx = {unsigned(at % grid.x), unsigned(at / grid.x % grid.y), unsigned(at / grid.x / grid.y)};
      fibers.run(body, block, shared_bytes);
    }
  }
}

template <class T>
T* dynamic_shared() {
  return reinterpret_cast<T*>(here->dynamic_shared);
}

inline int block_barrier(int line, int predicate) {
  Fiber& fiber = here->fibers[here->current];
  fiber.line = line;
  fiber.predicate = predicate;
  here->wait(State::at_block_barrier);
  return here->votes;
}

inline unsigned lane() { return here->current % WARP; }

// Gives `value` to the lanes of `mask` and waits for theirs.
template <class T>
void exchange(unsigned mask, T value) {
  static_assert(sizeof(T) <= 16, "a warp operation moves at most 16 bytes");
  Fiber& fiber = here->fibers[here->current];
  fiber.lanes = mask;
  std::memcpy(fiber.pending, &value, sizeof value);
  here->wait(State::at_warp_barrier);
}

// Whether `lane` came to the last exchange of this lane.
inline bool came(unsigned lane) { return here->fibers[here->current].present >> lane & 1; }

// What `lane` gave in the last exchange. A lane that took no part gives NaN or -1: on a GPU it may give anything.
template <class T>
T given_by(unsigned lane) {
  T value;
  if (came(lane)) {
    std::memcpy(static_cast<void*>(&value), here->fibers[here->current / WARP * WARP + lane].published, sizeof value);
  } else {
    std::memset(static_cast<void*>(&value), 0xFF, sizeof value);
  }
  return value;
}

// Lanes of this warp that have not returned.
inline unsigned alive_lanes() {
  unsigned lanes = 0;
  for (unsigned lane = 0; lane < WARP; ++lane) {
    const unsigned index = here->current / WARP * WARP + lane;
    if (index < here->size && here->fibers[index].state != State::returned) lanes |= 1u << lane;
  }
  return lanes;
}

}  // namespace cuda_on_cpu

// What Python asks of a library.
extern "C" {
void cuda_on_cpu_begin(int reverse) {
  cuda_on_cpu::order = reverse ? cuda_on_cpu::Order::reverse : cuda_on_cpu::Order::forward;
  cuda_on_cpu::failed = false;
  cuda_on_cpu::first_error[0] = 0;
}
void cuda_on_cpu_device(int multiprocessors, size_t shared_limit, const char* shared_source) {
  cuda_on_cpu::multiprocessors = multiprocessors;
  cuda_on_cpu::shared_limit = shared_limit;
  std::snprintf(cuda_on_cpu::shared_source, sizeof cuda_on_cpu::shared_source, "%s", shared_source);
}
const char* cuda_on_cpu_error() { return cuda_on_cpu::first_error; }
const char* cuda_on_cpu_launched() { return cuda_on_cpu::launched; }
}
