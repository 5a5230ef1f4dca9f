// Blocks that wait for one another. Each that waits keeps a processor thread of its own, and one of them runs at a time:
// a block runs until it waits for others, then the next one does, in the order of the launch. So a kernel that forgets
// to wait finds that those behind it have not begun.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "fibers.h"

namespace cuda_on_cpu {

// Threads, and blocks, that wait at once: each thread has a stack above a guard, each block a processor thread.
constexpr uint64_t MOST_TOGETHER = 16384, MOST_BLOCKS_TOGETHER = 128;

class Turns : public Others {
 public:
  // `run` runs the k-th block to its end.
  Turns(uint64_t blocks, unsigned threads, std::function<void(uint64_t)> run)
      : blocks_(blocks), threads_(threads), run_(std::move(run)) {}

  // Runs all blocks; the calling thread begins.
  void go() {
    workers_.push_back(std::make_unique<Worker>());
    turn_ = workers_[0].get();
    work(*turn_);
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == nullptr; });
    lock.unlock();
    for (std::thread& one : threads_of_) one.join();
  }

  void wait_for_others(bool at_grid) override {
    std::unique_lock<std::mutex> lock(mutex_);
    Worker& me = *turn_;
    me.state = at_grid ? State::at_grid : State::looks;
    next();
    changed_.wait(lock, [&] { return turn_ == &me; });
    me.state = State::runs;
  }

 private:
  enum class State { runs, looks, at_grid, may_go_on, ended };
  struct Worker { State state = State::runs; };
  const uint64_t blocks_;
  const unsigned threads_;
  const std::function<void(uint64_t)> run_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_of_;
  Worker* turn_ = nullptr;
  uint64_t begun_ = 0, ended_ = 0;

  void work(Worker& me) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == &me; });
    while (begun_ < blocks_ && !failed) {
      const uint64_t k = begun_++;
      lock.unlock();
      run_(k);
      ++progress;
      lock.lock();
      ++ended_;
    }
    here = nullptr;
    me.state = State::ended;
    next();
  }

  // Gives the turn to a block that has not begun, else to the next that may go on; to none once all have ended.
  void next() {
    if (begun_ < blocks_ && !failed) {
      const uint64_t waiting = workers_.size() + 1;
      if (waiting <= MOST_BLOCKS_TOGETHER && waiting * threads_ <= MOST_TOGETHER) return begin_one();
      report(Fault::absent, "more than %llu blocks of %u threads wait for one another", (unsigned long long)(waiting - 1),
             threads_);
    }
    size_t self = 0;
    for (size_t i = 0; i < workers_.size(); ++i) if (workers_[i].get() == turn_) self = i;
    for (size_t i = 1; i <= workers_.size(); ++i) {
      Worker& one = *workers_[(self + i) % workers_.size()];
      if (one.state == State::looks || one.state == State::may_go_on || (failed && one.state == State::at_grid)) {
        return give(&one);
      }
    }
    release_grid();
  }

  void release_grid() {
    Worker* first = nullptr;
    for (const auto& one : workers_) {
      if (one->state != State::at_grid) continue;
      one->state = State::may_go_on;
      if (first == nullptr) first = one.get();
    }
    if (first != nullptr && ended_ > 0) {
      report(Fault::candidate, "deadlock: blocks wait at a barrier of the grid for %llu that have returned",
             (unsigned long long)ended_);
    }
    ++progress;
    give(first);
  }

  void begin_one() {
    workers_.push_back(std::make_unique<Worker>());
    Worker& made = *workers_.back();
    threads_of_.emplace_back([this, &made] { work(made); });
    give(&made);
  }

  void give(Worker* to) {
    turn_ = to;
    changed_.notify_all();
  }
};

}  // namespace cuda_on_cpu
