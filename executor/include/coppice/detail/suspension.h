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

  // A winner on a worker of the same executor: what to queue.
  job& resumption() const noexcept { return *resumption_; }

  // A winner on any thread: the waiting code goes on on a worker.
  void resume() noexcept;

  // A winner: where it waits.
  executor_core& home() const noexcept { return *home_; }

  // A canceller, on a worker.
  std::coroutine_handle<> stop(worker_core& here) noexcept { return stop_(*this, here); }

  // A winner: whom it asks whether to stop; null if nobody.
  cancel_node* asks() const noexcept { return scope_; }

  // Its slot, from its cancel node; null when it waits for nothing.
  slot* at = nullptr;

  // What became of one that meant to sleep.
  enum class end_of_suspending {
    asleep,   // Whoever claims the slot has the rest to do.
    over,     // The event came first.
    stopped,  // Its scope is asked to stop, and the slot is the caller's.
  };

  // For whoever has retracted the slot: publishes it again, unless it is to stop.
  end_of_suspending publish_again(worker_core& here, slot& mine,
                                  std::uint64_t generation) noexcept {
    epoch seen = here.cancel_epoch->load(std::memory_order_seq_cst);  // S3
    if (scope_ != nullptr && scope_->cancelled_at(seen)) {
      return mine.give_up(generation) ? end_of_suspending::stopped : end_of_suspending::over;
    }
    return publish(here, mine, generation, seen);
  }

 protected:
  suspension() noexcept = default;
  ~suspension() = default;

  // The suspender, before it publishes.
  void begin(job& to_run, cancel_node* scope, executor_core& executor,
             stopper* stopper_of) noexcept {
    resumption_ = &to_run;
    scope_ = scope;
    home_ = &executor;
    stop_ = stopper_of;
  }

  // The suspender's last step: publishes the armed slot, unless what is waited for has come or, since `seen`,
  // a stop was requested. Once published, neither the frame nor the scope may be touched: only the epoch and
  // the slot.
  end_of_suspending publish(worker_core& here, slot& mine, std::uint64_t generation,
                            epoch seen) noexcept {
    const atomic<epoch>& cancels = *here.cancel_epoch;
    cancel_node* const scope = scope_;
    for (;;) {
      if (!mine.publish(generation)) {
        return end_of_suspending::over;
      }
      const epoch now = cancels.load(std::memory_order_seq_cst);  // S3
      if (now == seen || !mine.retract(generation)) {
        return end_of_suspending::asleep;
      }
      seen = now;
      if (scope != nullptr && scope->cancelled_at(seen)) {
        return mine.give_up(generation) ? end_of_suspending::stopped : end_of_suspending::over;
      }
    }
  }

 private:
  // All are begin()'s.
  job* resumption_ = nullptr;
  cancel_node* scope_ = nullptr;  // Null: nobody asks it to stop.
  executor_core* home_ = nullptr;
  stopper* stop_ = nullptr;
};

}  // namespace coppice::inline v0::detail
