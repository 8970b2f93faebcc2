// Threads that share the rows of a batch, call after call.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace muzero {

// The caller is worker 0; the others are threads that wait from one call to the next.  One user at a time.  A forked
// process has no threads but the one that forked: there the caller does the work of all workers.
class ThreadPool {
 public:
  explicit ThreadPool(int32_t count) {
    try {
      for (int32_t worker = 1; worker < count; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~ThreadPool() { stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int32_t count() const { return static_cast<int32_t>(threads_.size()) + 1; }

  // Calls task(worker) once for every worker, and returns when all have; it must not throw.
  void run(const std::function<void(int32_t)>& task) {
    if (is_copy()) {
      for (int32_t worker = 0; worker < count(); ++worker) task(worker);
      return;
    }
    task_ = &task;
    left_.store(count() - 1, std::memory_order_relaxed);
    call();
    task(0);
    for (int32_t left; (left = left_.load(std::memory_order_acquire)) > 0;) left_.wait(left, std::memory_order_acquire);
  }

 private:
  bool is_copy() const { return getpid() != owner_; }
  void call() {
    calls_.fetch_add(1, std::memory_order_release);
    calls_.notify_all();
  }
  void serve(int32_t worker) {
    for (uint32_t seen = 0;;) {
      calls_.wait(seen, std::memory_order_acquire);
      seen = calls_.load(std::memory_order_acquire);
      if (!task_) return;
      (*task_)(worker);
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
    }
  }
  void stop() {
    if (is_copy()) {  // the handles were copied, the threads were not
      for (std::thread& thread : threads_) thread.detach();
      return;
    }
    task_ = nullptr;
    call();
    for (std::thread& thread : threads_) thread.join();
  }

  const pid_t owner_ = getpid();
  std::vector<std::thread> threads_;
  const std::function<void(int32_t)>* task_ = nullptr;  // null: end the thread
  std::atomic<uint32_t> calls_{0};
  std::atomic<int32_t> left_{0};  // workers that have not finished the call
};

}  // namespace muzero
