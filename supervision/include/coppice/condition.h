// A condition variable for async_mutex.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/export.h>
#include <coppice/detail/permit_pool.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/suspension.h>
#include <coppice/detail/waiting_place.h>
#include <coppice/mutex.h>
#include <coppice/shield.h>
#include <coppice/task.h>

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace coppice::inline v0 {

class async_condition;

namespace detail {

// Two waits, one behind the other, in one slot: for a notification, and for the lock. A stop ends the first only, and
// then goes on behind the second.
class [[nodiscard]] condition_operation : public own_awaitable, suspension, job, waiter {
 public:
  using value_type = void;

  condition_operation(waiting_place& of, async_lock& lock) noexcept : of_(of), lock_(lock) {}
  condition_operation(condition_operation&& other) noexcept
      : of_(other.of_), lock_(other.lock_) {}  // Before the await.
  ~condition_operation() { end(); }

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    return wait(awaiting.promise(), *current_worker);
  }

  void await_resume() noexcept { end(); }

 private:
  COPPICE_EXPORT std::coroutine_handle<> wait(promise_base& task, worker_core& here);
  std::coroutine_handle<> relock(worker_core& here) noexcept;
  std::coroutine_handle<> go_on(worker_core& here) noexcept;
  static std::coroutine_handle<> stop(suspension& self, worker_core& here) noexcept;
  static void notified(job& self, worker_core& here) noexcept;
  static void locked(job& self, worker_core& here) noexcept;
  COPPICE_EXPORT void end() noexcept;

  waiting_place& of_;
  async_lock& lock_;
  promise_base* task_ = nullptr;            // wait().
  std::optional<permit_pool::taker> turn_;  // Behind the first wait.
  bool stopped_ = false;                    // stop(), or wait().
};

}  // namespace detail

// Notifications go to who waits, in order of arrival; one that finds nobody is of no effect. A stop never loses one: it
// either comes before it, and the notification is for the next, or the wait returns. notify from any thread, with or
// without the lock. No call but wait with a predicate allocates. Destroying it while somebody waits terminates with a
// sentence; who has been notified may.
class async_condition {
 public:
  async_condition() noexcept : place_("an async_condition") {}
  async_condition(const async_condition&) = delete;
  async_condition& operator=(const async_condition&) = delete;

  // Gives the lock away and waits for a notification; has the lock again when it returns, and also before a stop goes
  // on: for that it waits as if shielded. A cancellation point: on entry a stop gives nothing away. usage_error if the
  // lock is not held.
  detail::condition_operation wait(async_lock& lock) noexcept {
    return detail::condition_operation(place_, lock);
  }

  // The same, again and again until ready() says yes, which is asked with the lock held, first of all at once.
  template <class Predicate>
  detail::guarded<task<>, Predicate> wait(async_lock& lock, Predicate&& ready) {
    return wait_until<Predicate>(*this, lock, std::forward<Predicate>(ready));
  }

  void notify_one() noexcept {
    detail::woken_list woken;
    const std::lock_guard lock(place_.mutex);
    static_cast<void>(place_.waiters.serve_first(woken, [](detail::waiter&) noexcept {}));
  }

  void notify_all() noexcept { place_.release_all(std::unique_lock(place_.mutex)); }

 private:
  // Predicate: a reference to an lvalue, or an object.
  template <class Predicate>
  static task<> wait_until(async_condition& of, async_lock& lock, Predicate ready) {
    co_await detail::stop_point();
    while (!ready()) {
      co_await of.wait(lock);
    }
  }

  detail::waiting_place place_;
};

}  // namespace coppice::inline v0
