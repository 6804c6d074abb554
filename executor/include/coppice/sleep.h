// Sleeping, and giving way to others.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/wait.h>

namespace coppice::inline v0 {

namespace detail {

class sleep_source {
 public:
  using value_type = void;
  static constexpr const char* name = "sleep_for";

  explicit sleep_source(time_point due) noexcept : due_(due) {}

  bool ready() const noexcept { return false; }
  void arm(const ticket& wait, worker_core& here) const { here.add_timer(due_, wait); }
  void disarm() const noexcept {}
  void result() const noexcept {}

 private:
  time_point due_;
};

// Goes to the end of the queue; looks for a stop before and after.
class [[nodiscard]] yield_operation : public own_awaitable {
 public:
  using value_type = void;

  yield_operation() noexcept {}

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) const noexcept {
    return current_worker->yield(awaiting.promise());
  }

  void await_resume() const noexcept {}
};

// A sleep that lasts no time yields.
class [[nodiscard]] sleep_operation : public own_awaitable {
 public:
  using value_type = void;

  explicit sleep_operation(time_point due) noexcept : wait_(sleep_source(due)), due_(due) {}

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    worker_core& here = *current_worker;
    return due_ <= here.time_now() ? here.yield(awaiting.promise()) : wait_.await_suspend(awaiting);
  }

  void await_resume() { wait_.await_resume(); }

  time_point due() const noexcept { return due_; }

 private:
  wait_operation<sleep_source> wait_;
  time_point due_;
};

COPPICE_EXPORT time_point later_by(duration d) noexcept;

// The time in d, on the current executor's clock: never if d is `forever`, now if it is negative.
COPPICE_EXPORT time_point time_in(duration d) noexcept;

}  // namespace detail

// The current executor's clock: virtual in tests; the steady clock outside tasks. Any thread.
COPPICE_EXPORT time_point now() noexcept;

// Sleeps until `when`, never less. A cancellation point. A time that has come yields.
inline detail::sleep_operation sleep_until(time_point when) noexcept {
  return detail::sleep_operation(when);
}

// Sleeps for d, counted from the call, never less; `forever` is until cancelled. d <= 0 yields.
inline detail::sleep_operation sleep_for(duration d) noexcept {
  return detail::sleep_operation(detail::later_by(d));
}

// Lets others run: goes to the end of the worker's queue. A cancellation point.
inline detail::yield_operation yield() noexcept {
  return detail::yield_operation();
}

// The same: checks for a stop always, and yields always.
inline detail::yield_operation checkpoint() noexcept {
  return detail::yield_operation();
}

}  // namespace coppice::inline v0
