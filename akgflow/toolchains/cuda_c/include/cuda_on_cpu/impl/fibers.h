// One fiber for each CUDA thread of a block, and the scheduler that makes barriers real.
//
// The lanes of a warp run until each of them waits for the whole block or has returned; then the next warp runs. So a
// warp that need not wait for the others is far ahead of them, as it may be on a device, and in reverse order it is
// behind them. When no warp can run, all threads that wait for the block go on. Blocks are spread over OpenMP threads;
// one block stays on one of them, so nothing in here is shared between blocks.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "reports.h"

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
constexpr size_t GUARD = 256;                      // bytes around shared memory that no kernel may change
// NaN and -1 in the first call; then, in turns, numbers that are large in every type, since a maximum passes over NaN.
constexpr unsigned char POISONS[] = {0xFF, 0x7B, 0xFB};
constexpr auto PATIENCE = std::chrono::seconds(5);  // with threads that look at memory that nobody changes any more
constexpr unsigned MANY_LOOKS = 256;               // atomics of one thread before others get their turn

enum class Order { forward, reverse };
inline Order order = Order::forward;

inline unsigned char poison = POISONS[0];          // what memory holds that nobody wrote
inline unsigned calls = 0;

// Atomic changes of memory, and blocks that ended or were let go: while it stands still, who looks again looks in vain.
inline std::atomic<uint64_t> progress{0};

enum class State { ready, at_block_barrier, at_warp_barrier, at_grid_barrier, at_phase, looks_again, returned };

// The other blocks of a launch, where one block may wait for them.
struct Others {
  virtual ~Others() = default;
  // Lets them run; comes back once all have come to the barrier of the grid, or else when it is this block's turn.
  virtual void wait_for_others(bool at_grid) = 0;
};

struct Fiber {
  void* stack_pointer;
  State state;
  uint3 thread;
  unsigned lanes;                           // warp barrier: whom this lane waits for
  unsigned present;                         // warp barrier: who came, once it is let go
  unsigned looks;                           // atomics since it last waited
  const uint64_t* phase;                    // barrier in memory: where its phase stands
  uint64_t token;                           // barrier in memory: the phase whose end this thread waits for
  int line;                                 // block barrier: where it stands in the source
  int predicate;                            // block barrier: what this thread votes
  unsigned exchanges;                       // barriers of the warp that it has passed
  alignas(16) unsigned char pending[16];    // what this lane gives to the warp
  alignas(16) unsigned char published[16];  // what others may read of it
};

// A piece of shared memory in use by a block, with guards before and after it.
struct Shared { const char* name; unsigned char* from; size_t bytes; };

class Block;
inline thread_local Block* here = nullptr;

class Block {
 public:
  Fiber fibers[MOST_THREADS];
  unsigned size = 0;
  unsigned current = 0;
  int votes = 0;      // threads whose predicate was true at the last block barrier
  uint64_t serial = 0;  // counts the blocks that ran here
  unsigned barriers = 0;  // counts those of the block that all have passed
  bool running = false;
  Others* others = nullptr;
  unsigned char* dynamic_shared;

  Block() {
    const size_t bytes = MOST_THREADS * STACK;
    stacks_ = static_cast<unsigned char*>(
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (stacks_ == MAP_FAILED) {
      std::fprintf(stderr, "no memory for the stacks of %u threads\n", MOST_THREADS);
      std::abort();
    }
    arena_ = static_cast<unsigned char*>(std::aligned_alloc(1024, ((MOST_SHARED + 2 * GUARD) / 1024 + 2) * 1024));
    dynamic_shared = arena_ + 1024;
  }
  ~Block() {
    munmap(stacks_, MOST_THREADS * STACK);
    std::free(arena_);
  }

  template <class Body>
  void run(const Body& body, dim3 shape, size_t shared_bytes) {
    call_ = [](const void* b) { (*static_cast<const Body*>(b))(); };
    body_ = &body;
    here = this;
    ++serial;
    pieces_ = 0;
    declared_ = 0;
    share({"dynamic shared memory", dynamic_shared, shared_bytes});
    size = shape.x * shape.y * shape.z;
    // A page that cannot be touched below each stack: a stack that is too small crashes instead of corrupting.
    for (; guarded_ < size; ++guarded_) mprotect(stacks_ + guarded_ * STACK, PAGE, PROT_NONE);
    for (unsigned i = 0; i < size; ++i) start(i, {i % shape.x, i / shape.x % shape.y, i / (shape.x * shape.y)});
    running = true;
    go();
    running = false;
    check_guards();
  }

  void wait(State state) {
    Fiber& fiber = fibers[current];
    fiber.state = state;
    fiber.looks = 0;
    cuda_on_cpu_switch(&fiber.stack_pointer, scheduler_);
  }

  // Counts a look at memory that another thread may change: one that looks again and again lets others run.
  void look() {
    if (running && ++fibers[current].looks > MANY_LOOKS) wait(State::looks_again);
  }

  // Fills a piece of shared memory and its guards with poison, as a kernel may find it.
  void share(Shared piece) {
    std::memset(piece.from - GUARD, poison, piece.bytes + 2 * GUARD);
    if (pieces_ < MOST_PIECES) shared_[pieces_++] = piece;
  }

  // Whether `address` is in shared memory of the block.
  bool shares(const unsigned char* address) const {
    return std::any_of(shared_, shared_ + pieces_, [&](const Shared& s) {
      return address >= s.from && address < s.from + s.bytes;
    });
  }

  // The same for a variable of the kernel's: all that it declares have less room than memory that a launch asks for.
  void declare(Shared piece) {
    declared_ += piece.bytes;
    if (declared_ > MOST_DECLARED) {
      report(Fault::candidate,
             "%zu bytes of shared memory are declared, and a kernel may declare %zu: let the launch ask for more, as "
             "extern __shared__",
             declared_, MOST_DECLARED);
    }
    share(piece);
  }

  // Whether `address` is in the page below a fiber's stack.
  bool below_stack(const unsigned char* address) const {
    return address >= stacks_ && address < stacks_ + MOST_THREADS * STACK && size_t(address - stacks_) % STACK < PAGE;
  }
  // Where the stack of the running fiber begins.
  unsigned char* stack_top() const { return stacks_ + (current + 1) * STACK - 64; }

 private:
  static constexpr unsigned MOST_PIECES = 64;
  static constexpr size_t MOST_DECLARED = 48 * 1024;
  unsigned char *stacks_, *arena_;
  Shared shared_[MOST_PIECES];
  unsigned pieces_ = 0, guarded_ = 0;
  size_t declared_ = 0;
  void* scheduler_ = nullptr;
  void (*call_)(const void*) = nullptr;
  const void* body_ = nullptr;
  std::chrono::steady_clock::time_point since_;
  uint64_t seen_ = 0;

  static void enter() {
    here->call_(here->body_);
    here->wait(State::returned);
    std::abort();
  }

  void start(unsigned i, uint3 thread) {
    Fiber& fiber = fibers[i];
    fiber.state = State::ready;
    fiber.looks = fiber.exchanges = 0;
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

  // Runs all fibers to their end, or until something is wrong.
  void go() {
    const unsigned warps = (size + WARP - 1) / WARP;
    unsigned alive = size;
    since_ = std::chrono::steady_clock::now();
    while (alive > 0 && !failed) {
      bool ran = false;
      for (unsigned k = 0; k < warps; ++k) {
        const unsigned base = (order == Order::forward ? k : warps - 1 - k) * WARP;
        while (sweep(base, alive) | release_warp(base)) ran = true;
      }
      const bool released = alive > 0 && (release_block(alive) || release_grid(alive) || release_phase());
      if (!ran && !released && alive > 0 && !look_again()) return stuck();
    }
  }

  bool sweep(unsigned base, unsigned& alive);

  // Lets those that look at memory again and again go on, once other blocks had their turn; false where there is none.
  bool look_again() {
    bool any = false;
    for (unsigned i = 0; i < size; ++i) {
      if (fibers[i].state != State::looks_again) continue;
      fibers[i].state = State::ready;
      any = true;
    }
    if (any && others != nullptr) others->wait_for_others(false);
    const auto now = std::chrono::steady_clock::now();
    if (seen_ != progress) seen_ = progress, since_ = now;
    if (!any || now - since_ < PATIENCE) return any;
    if (others == nullptr) {
      report(Fault::absent, "threads wait for what other blocks write, and blocks are interpreted one after another");
    } else {
      report(Fault::candidate, "deadlock: threads look again and again at memory that no thread changes any more");
    }
    return any;
  }

  // Lets all go on once they have come to a barrier of the grid, and the other blocks too.
  bool release_grid(unsigned alive) {
    unsigned waiting = 0;
    for (unsigned i = 0; i < size; ++i) waiting += fibers[i].state == State::at_grid_barrier;
    if (waiting == 0 || waiting != alive) return false;
    if (others == nullptr) {
      report(Fault::candidate, "a barrier of the whole grid in a kernel that is not launched by cudaLaunchCooperativeKernel");
      return true;
    }
    others->wait_for_others(true);
    ++barriers;
    for (unsigned i = 0; i < size; ++i) {
      if (fibers[i].state == State::at_grid_barrier) fibers[i].state = State::ready;
    }
    return true;
  }

  // Lets those go on that wait at a barrier in memory whose phase has ended.
  bool release_phase() {
    bool any = false;
    for (unsigned i = 0; i < size; ++i) {
      if (fibers[i].state != State::at_phase || *fibers[i].phase == fibers[i].token) continue;
      fibers[i].state = State::ready;
      any = true;
    }
    return any;
  }

  // Lets a group of lanes go once each lane of its mask that has not returned waits with the same mask.
  bool release_warp(unsigned base) {
    bool any = false;
    const unsigned lanes = std::min<unsigned>(WARP, size - base);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if (fibers[base + lane].state != State::at_warp_barrier) continue;
      const unsigned mask = fibers[base + lane].lanes | 1u << lane;
      if (!complete(base, lanes, mask)) continue;
      any = true;
      let_go(base, lanes, mask);
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
      ++fiber.exchanges;
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
      if (fibers[i].line == 0) continue;  // of cooperative groups, whose place is not known
      if (line != 0 && fibers[i].line != line) {
        report(Fault::candidate, "threads of one block wait at different __syncthreads (lines %d and %d)", line,
               fibers[i].line);
      }
      line = fibers[i].line;
    }
    if (waiting == 0 || waiting != alive) return false;
    votes = 0;
    ++barriers;
    for (unsigned i = 0; i < size; ++i) {
      if (fibers[i].state != State::at_block_barrier) continue;
      votes += fibers[i].predicate != 0;
      fibers[i].state = State::ready;
    }
    return true;
  }

  void stuck() const {
    unsigned block = 0, warp = 0, phase = 0;
    for (unsigned i = 0; i < size; ++i) {
      block += fibers[i].state == State::at_block_barrier;
      warp += fibers[i].state == State::at_warp_barrier;
      phase += fibers[i].state == State::at_phase;
    }
    if (phase > 0) {
      report(Fault::candidate, "deadlock: %u threads of a block wait at a cuda::barrier for arrivals that never come", phase);
    }
    report(Fault::candidate,
           "deadlock: %u threads of a block wait at __syncthreads and %u in a warp operation for others that never come",
           block, warp);
  }

  void check_guards() const {
    const auto changed = [](const unsigned char* from) {
      return std::any_of(from, from + GUARD, [](unsigned char byte) { return byte != poison; });
    };
    for (unsigned i = 0; i < pieces_; ++i) {
      const Shared& s = shared_[i];
      const bool before = changed(s.from - GUARD);
      if (!before && !changed(s.from + s.bytes)) continue;
      report(Fault::candidate, "a write %s %s, which has %zu bytes", before ? "before the start of" : "past the end of",
             s.name, s.bytes);
    }
  }
};

// Memory of `T` that the threads of a block share: one for each declaration, which `key` names, and processor thread.
struct Declared { const char* name; uint64_t serial; size_t bytes; };
template <class T, class Key>
T& shared(const char* name, Key) {
  struct Place {
    alignas(128) unsigned char guarded[GUARD + sizeof(T) + GUARD];
    Declared declared;
  };
  static thread_local Place place;
  place.declared = {name, 0, sizeof(T)};
  return *reinterpret_cast<T*>(place.guarded + GUARD);
}
// Has the first thread of a block that comes to a declaration of shared memory poison it.
template <class T>
void touch(T& variable) {
  auto* from = const_cast<unsigned char*>(reinterpret_cast<const volatile unsigned char*>(&variable));
  constexpr size_t after = (GUARD + sizeof(T) + GUARD + alignof(Declared) - 1) / alignof(Declared) * alignof(Declared);
  auto& declared = *reinterpret_cast<Declared*>(from - GUARD + after);
  if (declared.serial == here->serial) return;
  declared.serial = here->serial;
  here->declare({declared.name, from, sizeof(T)});
}

// A barrier at `line` of the source; gives how many threads voted.
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

// What `lane` gave in the last exchange. A lane that took no part gives poison: on a GPU it may give anything.
template <class T>
T given_by(unsigned lane) {
  T value;
  if (came(lane)) {
    std::memcpy(static_cast<void*>(&value), here->fibers[here->current / WARP * WARP + lane].published, sizeof value);
  } else {
    std::memset(static_cast<void*>(&value), poison, sizeof value);
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
