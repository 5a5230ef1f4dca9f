// Makes recorded calls of a library once more, each tensor in memory of its own: `replay CALLS`. A line of CALLS is
//
//   library PATH                       goes on with the functions of this library
//   span FILE BYTES                    memory of the next call with the bytes of FILE
//   tensor SPAN OFFSET CODE BITS NDIM SHAPE… STRIDES…     an argument: OFFSET bytes into the span
//   int N | float X | none             an argument
//   call NAME                          calls NAME with the arguments so far, and forgets them
//
// Values are read from files, so that a tool that follows what was written knows all of them; and all spans are given
// to the system after a call, which tells such a tool what must be known.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <tvm/ffi/c_api.h>

struct Span { char* memory; size_t bytes; };
struct Tensor { DLTensor head; std::vector<int64_t> shape, strides; };
using Function = int (*)(void*, const TVMFFIAny*, int32_t, TVMFFIAny*);

static Span loaded(const std::string& file, size_t bytes) {
  void* memory = nullptr;
  // Exactly so many bytes: what lies behind them is not the kernel's.
  if (posix_memalign(&memory, 64, bytes) != 0) std::abort();
  const int fd = open(file.c_str(), O_RDONLY);
  for (size_t at = 0; at < bytes;) {
    const ssize_t got = read(fd, static_cast<char*>(memory) + at, bytes - at);
    if (got <= 0) std::abort();
    at += size_t(got);
  }
  close(fd);
  return {static_cast<char*>(memory), bytes};
}

int main(int, char** words) {
  std::ifstream calls(words[1]);
  void* library = nullptr;
  std::vector<Span> spans;
  std::vector<TVMFFIAny> arguments;
  std::deque<Tensor> tensors;
  const int sink = open("/dev/null", O_WRONLY);
  int made = 0;
  for (std::string line; std::getline(calls, line);) {
    std::istringstream rest(line);
    std::string what, name;
    rest >> what;
    TVMFFIAny value{};
    if (what == "library") {
      rest >> name;
      library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) {
        std::cout << "replay: not loaded: " << dlerror() << std::endl;
        return 3;
      }
    } else if (what == "span") {
      size_t bytes = 0;
      rest >> name >> bytes;
      spans.push_back(loaded(name, bytes));
    } else if (what == "tensor") {
      size_t span = 0, offset = 0;
      int code = 0, bits = 0, ndim = 0;
      rest >> span >> offset >> code >> bits >> ndim;
      Tensor& made_here = tensors.emplace_back();
      made_here.shape.resize(size_t(ndim));
      made_here.strides.resize(size_t(ndim));
      for (auto& one : made_here.shape) rest >> one;
      for (auto& one : made_here.strides) rest >> one;
      DLTensor& head = made_here.head;
      head.data = spans.empty() ? nullptr : spans[span].memory + offset;
      head.device = {kDLCPU, 0};
      head.ndim = ndim;
      head.dtype = {uint8_t(code), uint8_t(bits), 1};
      head.shape = made_here.shape.data();
      head.strides = made_here.strides.data();
      value.type_index = kTVMFFIDLTensorPtr;
      value.v_ptr = &head;
      arguments.push_back(value);
    } else if (what == "int") {
      rest >> value.v_int64;
      value.type_index = kTVMFFIInt;
      arguments.push_back(value);
    } else if (what == "float") {
      rest >> name;
      value.v_float64 = std::strtod(name.c_str(), nullptr);
      value.type_index = kTVMFFIFloat;
      arguments.push_back(value);
    } else if (what == "none") {
      value.type_index = kTVMFFINone;
      arguments.push_back(value);
    } else if (what == "call") {
      rest >> name;
      auto function = reinterpret_cast<Function>(dlsym(library, ("__tvm_ffi_" + name).c_str()));
      TVMFFIAny result{};
      result.type_index = kTVMFFINone;
      if (function == nullptr) {
        std::cout << "replay: no function " << name << std::endl;
      } else if (function(nullptr, arguments.data(), int32_t(arguments.size()), &result) != 0) {
        std::cout << "replay: raised " << name << std::endl;
      } else {
        std::cout << "replay: made " << ++made << std::endl;
      }
      for (const Span& one : spans) {
        for (size_t at = 0; at < one.bytes;) {
          const ssize_t put = write(sink, one.memory + at, one.bytes - at);
          if (put <= 0) break;
          at += size_t(put);
        }
        std::free(one.memory);
      }
      spans.clear();
      arguments.clear();
      tensors.clear();
    }
  }
  std::cout << "replay: done" << std::endl;
  // Threads that a library keeps end with the process, and not with destructors that race with them.
  std::cout.flush();
  _exit(0);
}
