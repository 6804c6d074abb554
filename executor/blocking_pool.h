// Threads for calls that block: apart from the workers, started when a call finds none without one, and ended when
// they have had none for a while.
//
// All is behind one lock: to hand a call to another thread costs a hundred times as much.
//
// A call that waits is never forgotten. When it is queued and a thread is idle, that thread is taken off the idle
// ones and woken; else, below the limit, one is started. Otherwise every thread is busy, or on its way, and looks at
// the queue before it rests. Who rests too long leaves under the lock as well, unless it has been called meanwhile.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/blocking_call.h>

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

namespace coppice::inline v0::detail {

class blocking_pool {
 public:
  static constexpr duration usual_patience = std::chrono::seconds(10);

  // At most so many threads, each of which ends when it has waited so long for a call. Starts none.
  explicit blocking_pool(std::size_t most_threads, duration patience = usual_patience) noexcept
      : most_threads_(most_threads), patience_(patience) {}

  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;
  ~blocking_pool() { close(); }

  // Queues it, first come, first served. Throws std::system_error if there is no thread and none can be
  // started; it is then not queued.
  void submit(blocking_call& call);

  enum class withdrawal {
    refused,  // Its result will be delivered, or has been.
    unbegun,  // It will never begin.
    left,     // It goes on, and its result is nobody's.
  };

  // A call that has been submitted.
  [[nodiscard]] withdrawal withdraw(blocking_call& call) noexcept;

  // Its thread, behind the call: is the result to be delivered?
  [[nodiscard]] bool take_result(blocking_call& call) noexcept;

  // It has ended, in whatever way.
  void forget(blocking_call& call) noexcept;

  // All that have been submitted and not forgotten.
  std::vector<blocking_call_info> calls() const;
  bool empty() const noexcept;

  // Waits until it is empty, or the time is up: then false.
  bool wait_until_empty(duration limit) const;

  // When nothing is submitted any more: waits until it is empty, and for the end of its threads.
  void close() noexcept;

  std::size_t threads() const noexcept;

  // Those of them that wait for a call.
  std::size_t idle_threads() const noexcept;

 private:
  class call_list {
   public:
    void append(blocking_call& call) noexcept;
    void remove(blocking_call& call) noexcept;
    blocking_call* first() const noexcept { return first_; }

   private:
    blocking_call* first_ = nullptr;
    blocking_call* last_ = nullptr;
  };

  // Lies on the stack of its thread.
  struct idle_thread {
    std::condition_variable called;
    bool was_called = false;
    idle_thread* below = nullptr;
    idle_thread* above = nullptr;
  };

  static void* run(void* pool) noexcept;

  // All these under the lock.
  bool none() const noexcept { return queued_.first() == nullptr && begun_.first() == nullptr; }
  int start_thread() noexcept;
  void run_calls(std::unique_lock<std::mutex>& lock) noexcept;
  bool rest(std::unique_lock<std::mutex>& lock) noexcept;
  void push_idle(idle_thread& mine) noexcept;
  void remove_idle(idle_thread& which) noexcept;

  const std::size_t most_threads_;
  const duration patience_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;  // It is empty, or the last thread has ended.

  // All under the lock.
  call_list queued_;
  call_list begun_;              // Also those that were withdrawn, until they are forgotten.
  idle_thread* idle_ = nullptr;  // The latest first, so that those not needed stay so.
  std::size_t threads_ = 0;
  std::optional<pthread_t> ended_;  // The last thread that ended, to be joined by the next.
  bool closing_ = false;
};

}  // namespace coppice::inline v0::detail
