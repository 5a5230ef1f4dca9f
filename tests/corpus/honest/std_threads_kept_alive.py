"""operator: rowsum
family: worker threads
does: keeps C++ threads alive that wait on a condition variable between calls
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

class Pool {
 public:
  explicit Pool(int size) {
    for (int i = 0; i < size; ++i) std::thread([this, i] { serve(i); }).detach();
    left_ = 0;
  }
  void run(const std::function<void(int)>& work, int size) {
    std::unique_lock<std::mutex> lock(mutex_);
    work_ = &work, left_ = size, ++round_;
    start_.notify_all();
    done_.wait(lock, [this] { return left_ == 0; });
  }

 private:
  void serve(int number) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (long seen = 0;; seen = round_) {
      start_.wait(lock, [&] { return round_ != seen; });
      const auto* work = work_;
      lock.unlock();
      (*work)(number);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
      seen = round_;
    }
  }
  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(int)>* work_ = nullptr;
  int left_ = 0;
  long round_ = 0;
};

void rowsum(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  constexpr int size = 3;
  static Pool* pool = new Pool(size);
  const int64_t rows = x.size(0), n = x.size(1);
  pool->run([&](int number) {
    for (int64_t r = number; r < rows; r += size) {
      double total = 0;
      for (int64_t c = 0; c < n; ++c) total += static_cast<const float*>(x.data_ptr())[r * n + c];
      static_cast<float*>(out.data_ptr())[r] = static_cast<float>(total);
    }
  }, size);
}
"""

library = load_inline(name="rowsum", cpp_sources=SOURCE, functions=["rowsum"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0])
        library.rowsum(x, out)
        return out
