// Something that waits, as its winner finds it: the job to queue, and how it is stopped.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/job.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/worker_core.h>

#include <coroutine>
#include <cstdint>

namespace coppice::inline v0::detail {

// Lies in the frame of the waiting coroutine. Whoever won its slot may use it, once.
class COPPICE_EXPORT suspension {
 public:
  // What a cancel does with it, on a worker, having won the slot. Returns what runs next.
  using stopper = std::coroutine_handle<>(suspension&, worker_core&) noexcept;

  suspension(const suspension&) = delete;
  suspension& operator=(const suspension&) = delete;

  // What a dump says it waits for. Static text.
  const char* what() const noexcept { return what_.load(std::memory_order_relaxed); }

  // A winner on a worker of the same executor: what to queue.
  job& resumption() const noexcept { return *resumption_; }

  // A winner on any thread: the waiting code goes on on a worker.
  void resume() noexcept;

  // A canceller, on a worker.
  std::coroutine_handle<> stop(worker_core& here) noexcept { return stop_(*this, here); }

  // Its slot, from its cancel node; null when it waits for nothing.
  slot* at = nullptr;

  // In its cancel node's list of those that wait.
  suspension* earlier = nullptr;
  suspension* later = nullptr;

  // In a canceller's list of those it has won.
  suspension* next_won = nullptr;

 protected:
  suspension() noexcept = default;
  ~suspension() = default;

  // The suspender, before it publishes.
  void begin(job& to_run, executor_core& executor, const char* label,
             stopper* stopper_of) noexcept {
    resumption_ = &to_run;
    home_ = &executor;
    what_.store(label, std::memory_order_relaxed);
    stop_ = stopper_of;
  }

  // The suspender, later.
  void rename(const char* label) noexcept { what_.store(label, std::memory_order_relaxed); }

  // What became of one that meant to sleep.
  enum class end_of_suspending {
    asleep,   // Whoever claims the slot has the rest to do.
    over,     // The event came first.
    stopped,  // Its scope is asked to stop, and the suspender has taken the slot itself.
  };

  // The suspender's last step: publishes the armed slot, unless what is waited for has come or, since `seen`,
  // a stop was requested. Once published, neither the frame nor the scope may be touched: only the epoch and
  // the slot.
  static end_of_suspending publish(cancel_node& scope, worker_core& here, slot& mine,
                                   std::uint64_t generation, epoch seen) noexcept {
    const atomic<epoch>& cancels = *here.cancel_epoch;
    for (;;) {
      if (!mine.publish(generation)) {
        return end_of_suspending::over;
      }
      const epoch now = cancels.load(std::memory_order_seq_cst);  // S3
      if (now == seen || !mine.retract(generation)) {
        return end_of_suspending::asleep;
      }
      seen = now;
      if (scope.cancelled_at(seen)) {
        return mine.give_up(generation) ? end_of_suspending::stopped : end_of_suspending::over;
      }
    }
  }

  executor_core& home() const noexcept { return *home_; }

 private:
  // All are begin()'s.
  job* resumption_ = nullptr;
  executor_core* home_ = nullptr;
  atomic<const char*> what_{""};  // Dumps read it.
  stopper* stop_ = nullptr;
};

}  // namespace coppice::inline v0::detail
