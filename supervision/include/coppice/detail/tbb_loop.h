// One parallel algorithm of oneTBB in a task: what asks it to end, what its bodies have failed with, and which threads run it.
#pragma once

#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/job.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/exception_group.h>
#include <coppice/executor.h>
#include <coppice/outcome.h>
#include <coppice/shield.h>
#include <coppice/task.h>
#include <coppice/task_handle.h>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

// Workers of the runtime that have nothing else to do come and help. oneTBB's own threads do not: nobody knows of them who
// divides the cores.
class tbb_helpers {
 public:
  tbb_helpers(executor& of, std::shared_ptr<tbb::task_arena> arena) noexcept
      : executor_(of), arena_(std::move(arena)) {}
  tbb_helpers(const tbb_helpers&) = delete;
  tbb_helpers& operator=(const tbb_helpers&) = delete;

  // Asks as many to come as fit. With less memory fewer come.
  static void invite(const std::shared_ptr<tbb_helpers>& to, std::size_t most) noexcept {
    for (std::size_t i = 0; i != most; ++i) {
      job* const each = new (std::nothrow) helper(to);
      if (each == nullptr) {
        return;
      }
      to->executor_.post(*each);
    }
  }

  // Whoever has been there for a while goes to the end of his worker's queue: others than this loop want to run too, and one
  // that has found nothing to do sleeps until he is sent away. Any thread that runs a body; often.
  void take_turns(time_point now) noexcept {
    if (now.time_since_epoch().count() < next_turn_.load(std::memory_order_relaxed)) {
      return;
    }
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (lock.owns_lock()) {
      next_turn_.store((now + turn).time_since_epoch().count(), std::memory_order_relaxed);
      awaited_.clear();
    }
  }

  // The loop is over: who helps goes, and nobody comes any more.
  void dismiss() noexcept {
    const std::lock_guard lock(mutex_);
    over_ = true;
    awaited_.clear();
  }

 private:
  static constexpr duration turn = std::chrono::milliseconds(1);

  // Runs the tasks of the arena that are there to be stolen, as who waits there does, until what it waits for is gone.
  class helper final : public job {
   public:
    explicit helper(std::shared_ptr<tbb_helpers> of) noexcept : of_(std::move(of)) {
      run = [](job& self, worker_core& here) noexcept { static_cast<helper&>(self).help(here); };
    }

   private:
    // What waits in this worker's own queue runs before this job comes again, but not what waits in others'.
    void help(worker_core& here) noexcept {
      if (here.take_from_others()) {
        of_->executor_.post(*this);
        return;
      }
      bool again = false;
      try {
        tbb::task_group waiting;
        if (of_->enter(waiting.defer([] {}))) {
          of_->arena_->execute([&] { waiting.wait(); });
          again = of_->leave();
        }
      } catch (...) {
        again = false;  // No memory to help with.
      }
      if (again) {
        of_->executor_.post(*this);
      } else {
        delete this;
      }
    }

    std::shared_ptr<tbb_helpers> of_;
  };

  bool enter(tbb::task_handle awaited) {
    const std::lock_guard lock(mutex_);
    if (!over_) {
      awaited_.push_back(std::move(awaited));
    }
    return !over_;
  }

  bool leave() noexcept {
    const std::lock_guard lock(mutex_);
    return !over_;
  }

  executor& executor_;
  const std::shared_ptr<tbb::task_arena> arena_;
  atomic<std::int64_t> next_turn_{0};  // Whoever holds the lock.
  std::mutex mutex_;
  bool over_ = false;
  std::vector<tbb::task_handle> awaited_;  // By helpers: done when they are destroyed.
};

class tbb_loop {
 public:
  explicit tbb_loop(cancel_token asked) noexcept : asked_(std::move(asked)) {}
  tbb_loop(const tbb_loop&) = delete;
  tbb_loop& operator=(const tbb_loop&) = delete;

  // Runs it on this worker, and on such as come and help. What it throws is a failure.
  template <class Algorithm>
  void run(const Algorithm& algorithm) {
    executor& here = executor_of(*this_worker());
    // Inside the group what the algorithm starts is bound to its context.
    const auto in_context = [&] {
      tbb::task_group whole(context_);
      whole.run_and_wait([&] {
        try {
          algorithm();
        } catch (...) {
          fail(std::current_exception());
        }
      });
    };
    if (here.effective_options().tbb == tbb_threads::off) {
      tbb::this_task_arena::isolate(in_context);
    } else {
      const std::shared_ptr<tbb::task_arena>& arena = arena_of(here.workers());
      helpers_ = std::make_shared<tbb_helpers>(here, arena);
      tbb_helpers::invite(helpers_, here.workers() - 1);
      arena->execute(in_context);
      helpers_->dismiss();
    }
  }

  // Is the rest to be left out? Any thread.
  bool ending() noexcept {
    if (!left_out_.load(std::memory_order_relaxed)) {
      let_deadlines_pass();
      if (!asked_.stop_requested()) {
        return false;
      }
      leave_out();
    }
    return true;
  }

  // Any thread.
  void fail(const std::exception_ptr& error) noexcept {
    {
      const std::lock_guard lock(mutex_);
      try {
        failures_.emplace_back(error);
      } catch (...) {
        unlisted_ = error;
      }
    }
    leave_out();
  }

  // work(part), of each part of the range in order, unless the rest is left out.
  template <class Range, class Work>
  void each_part(const Range& range, const Work& work) noexcept {
    call([&] {
      if (range.is_divisible()) {
        Range all(range);
        static_cast<void>(parts_of(all, forever, work));
      } else if (!ending()) {
        work(range);
      }
    });
  }

  // One that cannot be divided.
  template <class Work>
  void whole(const Work& work) noexcept {
    call([&] {
      if (!ending()) {
        work();
      }
    });
  }

  // For what is called very often, between any two steps of an algorithm.
  void look_now_and_then() noexcept {
    thread_local unsigned calls = 0;
    if (++calls % 4096 == 0) {
      static_cast<void>(ending());
      take_turns(clock::now());
    }
  }

  // What is not to be left out.
  template <class Work>
  void call(const Work& work) noexcept {
    try {
      work();
    } catch (...) {
      fail(std::current_exception());
    }
    take_turns(clock::now());
  }

  // Behind run(): throws what bodies have thrown, one that is fatal as it is, else as an exception_group; stops, where
  // something was left out.
  task<> finish(const char* algorithm) {
    if (!failures_.empty() || unlisted_ != nullptr) {
      throw_failures(algorithm);
    }
    if (left_out_.load(std::memory_order_relaxed)) {
      co_await stop();
    }
  }

 private:
  // For so long a body is left alone.
  static constexpr duration patience = std::chrono::microseconds(50);

  // The right half of a range is expected to take as long as the left one did. Returns how long it took.
  template <class Range, class Work>
  duration parts_of(Range& range, duration expected, const Work& work) {
    if (ending()) {
      return duration::zero();
    }
    if (expected <= patience || !range.is_divisible()) {
      const time_point begun = clock::now();
      work(std::as_const(range));
      const time_point ended = clock::now();
      take_turns(ended);
      return ended - begun;
    }
    Range right(range, tbb::split());
    const duration left = parts_of(range, expected / 2, work);
    return left + parts_of(right, left, work);
  }

  [[noreturn]] void throw_failures(const char* algorithm) {
    for (const error_entry& each : failures_) {
      if (is_fatal(each.error())) {
        std::rethrow_exception(each.error());
      }
    }
    if (failures_.empty()) {
      std::rethrow_exception(unlisted_);
    }
    throw exception_group(std::string(algorithm) + " failed", std::move(failures_));
  }

  // All workers may be in the loop.
  static void let_deadlines_pass() noexcept {
    worker_core* const here = this_worker();
    if (here != nullptr && --here->polls_until_look == 0) {
      here->look_at_time();
    }
  }

  void take_turns(time_point now) noexcept {
    if (helpers_ != nullptr) {
      helpers_->take_turns(now);
    }
  }

  void leave_out() noexcept {
    if (!left_out_.exchange(true, std::memory_order_relaxed)) {
      context_.cancel_group_execution();
    }
  }

  // One for each worker, with places for its colleagues, and none for threads of oneTBB's.
  static const std::shared_ptr<tbb::task_arena>& arena_of(unsigned workers) {
    thread_local const auto arena =
        std::make_shared<tbb::task_arena>(static_cast<int>(workers), workers);
    return arena;
  }

  const cancel_token asked_;
  std::shared_ptr<tbb_helpers> helpers_;  // Before the first body. Null: oneTBB's threads run it.
  tbb::task_group_context context_{tbb::task_group_context::isolated};
  atomic<bool> left_out_{false};  // fail(), ending().
  std::mutex mutex_;
  std::vector<error_entry> failures_;
  std::exception_ptr unlisted_;  // One for which there was no memory.
};

}  // namespace coppice::inline v0::detail
