// Launches of kernels, what a crash inside one says, and what Python asks of a library.
#pragma once
#include <signal.h>
#include <ucontext.h>

#include "turns.h"

// The built-in variables of a CUDA thread.
inline thread_local uint3 threadIdx, blockIdx;
inline thread_local dim3 blockDim, gridDim;
static constexpr int warpSize = cuda_on_cpu::WARP;

namespace cuda_on_cpu {

// What the target has, as Python says, and the most dynamic shared memory that was asked for so far.
inline size_t shared_limit = MOST_SHARED, shared_asked = MOST_WITHOUT_ASKING;
inline char shared_source[512] = "227 KiB";
inline int multiprocessors = 4, capability = 0;
// False where a block may wait for another, which has to run beside it.
inline bool blocks_are_independent = false;
constexpr uint64_t FEW_THREADS = 32768;  // of a launch that several processor threads would hardly end sooner

inline bool Block::sweep(unsigned base, unsigned& alive) {
  bool any = false;
  const unsigned lanes = std::min<unsigned>(WARP, size - base);
  for (unsigned k = 0; k < lanes; ++k) {
    const unsigned i = base + (order == Order::forward ? k : lanes - 1 - k);
    if (fibers[i].state != State::ready || failed) continue;
    any = true;
    current = i;
    threadIdx = fibers[i].thread;
    cuda_on_cpu_switch(&scheduler_, fibers[i].stack_pointer);
    if (fibers[i].state == State::returned) --alive;
  }
  return any;
}

// The names of the kernels that were launched, one a line.
inline char launched[4096];
inline void note_launch(const char* kernel) {
  const size_t used = std::strlen(launched), more = std::strlen(kernel);
  if (used + more + 2 > sizeof launched) return;
  for (const char* at = launched; (at = std::strstr(at, kernel)); ++at) {
    if ((at == launched || at[-1] == '\n') && at[more] == '\n') return;
  }
  std::memcpy(launched + used, kernel, more);
  launched[used + more] = '\n';
}

// Ends the fiber that touched what it may not: the scheduler goes on and finds that something failed.
[[noreturn]] inline void end_of_crashed_fiber() {
  here->wait(State::returned);
  std::abort();
}

inline struct sigaction before_segv, before_bus;
inline void on_bad_address(int number, siginfo_t* info, void* context) {
  auto* machine = static_cast<ucontext_t*>(context);
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const char* verb = "touches memory";
#if defined(__x86_64__)
  verb = machine->uc_mcontext.gregs[REG_ERR] & 2 ? "writes" : "reads";
#endif
  char what[256];
  describe(address, what, sizeof what);
  if (here == nullptr || !here->running) {
    std::fprintf(stderr, "host code %s %s\n", verb, what);
    sigaction(number, number == SIGSEGV ? &before_segv : &before_bus, nullptr);
    return;  // the instruction is tried again and meets the handler that was there before
  }
  if (here->below_stack(reinterpret_cast<unsigned char*>(address))) {
    report(Fault::absent, "a thread needs more local memory than the %zu KiB of the interpreter", STACK / 1024);
  } else {
    report(Fault::candidate, "illegal address: thread (%u, %u, %u) of block (%u, %u, %u) %s %s", threadIdx.x,
           threadIdx.y, threadIdx.z, blockIdx.x, blockIdx.y, blockIdx.z, verb, what);
  }
  unsigned char* top = here->stack_top();
#if defined(__x86_64__)
  machine->uc_mcontext.gregs[REG_RSP] = reinterpret_cast<greg_t>(top - 8);  // aligned as after a call
  machine->uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(&end_of_crashed_fiber);
#elif defined(__aarch64__)
  machine->uc_mcontext.sp = reinterpret_cast<uintptr_t>(top);
  machine->uc_mcontext.pc = reinterpret_cast<uintptr_t>(&end_of_crashed_fiber);
#endif
}

// Catches bad addresses for the time of a launch: what was there before comes back with the end of it.
class Catching {
 public:
  Catching() {
    struct sigaction action = {};
    action.sa_sigaction = on_bad_address;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &before_segv);
    sigaction(SIGBUS, &action, &before_bus);
  }
  ~Catching() {
    sigaction(SIGSEGV, &before_segv, nullptr);
    sigaction(SIGBUS, &before_bus, nullptr);
  }
};

// A stack for the handler: a fiber's own may be what ran out.
class HandlerStack {
 public:
  HandlerStack() {
    stack_t mine = {};
    mine.ss_sp = memory_;
    mine.ss_size = sizeof memory_;
    sigaltstack(&mine, &before_);
  }
  ~HandlerStack() { sigaltstack(&before_, nullptr); }

 private:
  stack_t before_ = {};
  alignas(16) char memory_[32 * 1024];
};

inline Block& block_of_this_processor_thread() {
  static thread_local std::unique_ptr<Block> block;
  if (!block) block = std::make_unique<Block>();
  return *block;
}
template <class T>
T* dynamic_shared() {
  return reinterpret_cast<T*>(block_of_this_processor_thread().dynamic_shared);
}

// False where a device would refuse the launch.
inline bool possible(dim3 grid, dim3 block, size_t shared_bytes) {
  const uint64_t threads = uint64_t(block.x) * block.y * block.z;
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  if (threads == 0 || threads > MOST_THREADS || block.z > 64) {
    report(Fault::candidate, "a block of %ux%ux%u threads is not possible", block.x, block.y, block.z);
  } else if (blocks == 0 || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535) {
    report(Fault::candidate, "a grid of %ux%ux%u blocks is not possible", grid.x, grid.y, grid.z);
  } else if (shared_bytes > shared_limit || shared_bytes > MOST_SHARED) {
    report(Fault::candidate, "%zu bytes of shared memory are more than a block can have: %s", shared_bytes, shared_source);
  } else if (shared_bytes > shared_asked) {
    report(Fault::candidate,
           "%zu bytes of dynamic shared memory are more than the %zu that a launch may have unless "
           "cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) asks for more",
           shared_bytes, shared_asked);
  } else {
    return true;
  }
  return false;
}

// Runs the k-th block of a launch on this processor thread.
template <class Body>
void run_block(uint64_t k, dim3 grid, dim3 block, size_t shared_bytes, const Body& body, Others* others) {
  Block& fibers = block_of_this_processor_thread();
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  const uint64_t at = order == Order::forward ? k : blocks - 1 - k;
  gridDim = grid;
  blockDim = block;
  blockIdx = {unsigned(at % grid.x), unsigned(at / grid.x % grid.y), unsigned(at / grid.x / grid.y)};
  fibers.others = others;
  fibers.run(body, block, shared_bytes);
  fibers.others = nullptr;
}

// Whether kernels do nothing: the judge asks whether an answer comes from them.
inline bool silent = false;

// Calls `body` once for each thread of the grid; `together` where blocks may meet at barriers of the grid.
template <class Body>
void launch(const char* kernel, dim3 grid, dim3 block, size_t shared_bytes, const Body& body, bool together = false) {
  if (failed) return;
  note_launch(kernel);
  std::snprintf(launched_as, sizeof launched_as,
                "kernel %s, launched with grid (%u, %u, %u), block (%u, %u, %u) and %zu bytes of dynamic shared memory",
                kernel, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes);
  if (!possible(grid, block, shared_bytes) || silent) return;
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  const uint64_t threads = blocks * block.x * block.y * block.z;
  Catching catching;
  if (together || (!blocks_are_independent && threads <= MOST_TOGETHER)) {
    Turns turns(blocks, block.x * block.y * block.z, [&](uint64_t k) {
      HandlerStack stack;
      run_block(k, grid, block, shared_bytes, body, &turns);
    });
    turns.go();
    launched_as[0] = 0;
    return;
  }
  // In one thread the order of blocks is certain, so that two that write one element leave different values in it.
  const bool in_order = blocks_are_independent && threads <= FEW_THREADS;
#pragma omp parallel if (!in_order)
  {
    HandlerStack stack;
#pragma omp for schedule(dynamic)
    for (uint64_t k = 0; k < blocks; ++k) {
      if (!failed) run_block(k, grid, block, shared_bytes, body, nullptr);
    }
    here = nullptr;
  }
  launched_as[0] = 0;
}

// `kernel<<<configuration>>>(arguments)` in three calls: name and kernel, configuration, arguments.
template <class Call>
class Kernel {
 public:
  Kernel(const char* text, Call call) : call_(call) {
    // Without template arguments and namespaces.
    const size_t end = std::strcspn(text, "< \t\\");
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != ':') --begin;
    std::snprintf(name_, sizeof name_, "%.*s", int(end - begin), text + begin);
  }
  struct Configured {
    Kernel kernel;
    dim3 grid, block;
    size_t shared;
    // Arguments are evaluated once, as by a launch, and not by every thread.
    template <class... Args>
    void operator()(const Args&... args) const {
      launch(kernel.name_, grid, block, shared, [&] { kernel.call_(args...); });
    }
  };
  Configured with(dim3 grid, dim3 block, size_t shared = 0) const { return {*this, grid, block, shared}; }
  template <class Stream>
  Configured with(dim3 grid, dim3 block, size_t shared, const Stream&) const { return {*this, grid, block, shared}; }

 private:
  char name_[200];
  Call call_;
};
template <class Call>
Kernel<Call> kernel(const char* text, Call call) { return {text, call}; }

}  // namespace cuda_on_cpu

#define CUDA_ON_CPU_TEXT(...) #__VA_ARGS__
#define CUDA_ON_CPU_NAME(...) CUDA_ON_CPU_TEXT(__VA_ARGS__)
#define CUDA_ON_CPU_LAUNCH(...)                                                                                \
  ::cuda_on_cpu::kernel(CUDA_ON_CPU_NAME(__VA_ARGS__), [&](const auto&... akgflow_args) {                      \
    __VA_ARGS__(akgflow_args...);                                                                              \
  }).with

// What Python asks of a library.
#define CUDA_ON_CPU_PUBLIC inline __attribute__((used, visibility("default")))
extern "C" {
CUDA_ON_CPU_PUBLIC void cuda_on_cpu_silence() { cuda_on_cpu::silent = true; }
CUDA_ON_CPU_PUBLIC void cuda_on_cpu_begin(int reverse, int independent) {
  using namespace cuda_on_cpu;
  blocks_are_independent = independent;
  order = reverse ? Order::reverse : Order::forward;
  if (order == Order::forward) poison = POISONS[calls++ % sizeof POISONS];
  failed = did_atomics = false;
  first_fault = Fault::none;
  first_error[0] = launched_as[0] = where[0] = 0;
  fence_count = 0;
}
// Whether a call has done an atomic operation: only then may the order of threads show, by rounding.
CUDA_ON_CPU_PUBLIC int cuda_on_cpu_did_atomics() { return cuda_on_cpu::did_atomics; }
CUDA_ON_CPU_PUBLIC void cuda_on_cpu_fence(const uintptr_t* bounds, const char* name) {
  using namespace cuda_on_cpu;
  if (fence_count == MOST_FENCES) return;
  Fence& fence = fences[fence_count++];
  fence = {bounds[0], bounds[1], bounds[2], bounds[3], {}};
  std::snprintf(fence.name, sizeof fence.name, "%s", name);
}
CUDA_ON_CPU_PUBLIC void cuda_on_cpu_arguments(const char* text) {
  std::snprintf(cuda_on_cpu::where, sizeof cuda_on_cpu::where, "%s", text);
}
CUDA_ON_CPU_PUBLIC void cuda_on_cpu_device(int multiprocessors, int capability, size_t shared_limit, const char* source) {
  cuda_on_cpu::multiprocessors = multiprocessors;
  cuda_on_cpu::capability = capability;
  cuda_on_cpu::shared_limit = shared_limit;
  std::snprintf(cuda_on_cpu::shared_source, sizeof cuda_on_cpu::shared_source, "%s", source);
}
CUDA_ON_CPU_PUBLIC int cuda_on_cpu_fault() { return int(cuda_on_cpu::first_fault); }
CUDA_ON_CPU_PUBLIC const char* cuda_on_cpu_error() { return cuda_on_cpu::first_error; }
CUDA_ON_CPU_PUBLIC const char* cuda_on_cpu_launched() { return cuda_on_cpu::launched; }
}
