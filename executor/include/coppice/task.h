// A task: a lazy computation that runs when it is awaited or spawned, once.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/foreign.h>
#include <coppice/detail/promise.h>
#include <coppice/error.h>

#include <coroutine>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

namespace detail {

struct task_access;

// Starts a child inside its caller: no queue, no atomic operation, no allocation.
template <class T>
class inline_await {
 public:
  explicit inline_await(std::coroutine_handle<promise<T>> child) noexcept : child_(child) {}
  inline_await(const inline_await&) = delete;
  inline_await& operator=(const inline_await&) = delete;
  ~inline_await() {
    if (child_) {
      child_.destroy();  // It has never been started.
    } else {
      result_.clear();
    }
  }

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> caller) noexcept {
    const std::coroutine_handle<promise<T>> child = std::exchange(child_, nullptr);
    result_.reset();
    child.promise().continue_with(caller.promise(), result_.place_of_value());
    worker_core& here = *current_worker;
    return here.stack_left() ? child : here.resume_from_loop(child);
  }

  T await_resume() {
    if (result_.failed()) [[unlikely]] {
      std::rethrow_exception(result_.take_failure());
    }
    return result_.take_value();
  }

 private:
  template <class>
  friend class border_await;

  std::coroutine_handle<promise<T>> child_;
  result_slot<T> result_;
};

// The same for a caller of any type. In another library's coroutine the child is queued: whatever code resumed
// that coroutine knows nothing of what our frames leave to the worker's loop.
template <class T>
class border_await : public inline_await<T>, border {
 public:
  using inline_await<T>::inline_await;
  using inline_await<T>::await_suspend;

  template <class Promise>
    requires(!std::derived_from<Promise, promise_base>)
  COPPICE_AWAIT_SUSPEND void await_suspend(std::coroutine_handle<Promise> foreign) {
    worker_core& here = this->come_from(foreign);
    promise<T>& child = std::exchange(this->child_, nullptr).promise();
    this->result_.reset();
    child.continue_with(*this, this->scope(), this->result_.place_of_value());
    here.post_next(child.as_job());
  }

  T await_resume() {
    this->require_end();
    return inline_await<T>::await_resume();
  }
};

}  // namespace detail

// Runs when awaited or spawned, once. Move-only; one that never ran is destroyed with its arguments.
// co_await std::move(t) (or of the call itself) gives T, throws its failure, or is stopped with it. No
// cancellation point.
template <class T>
class [[nodiscard]] task : public detail::own_awaitable {
 public:
  using promise_type = detail::promise<T>;
  using value_type = T;

  task() noexcept = default;
  task(task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    task(std::move(other)).swap(*this);
    return *this;
  }
  ~task() {
    if (coroutine_) {
      coroutine_.destroy();
    }
  }

  void swap(task& other) noexcept { std::swap(coroutine_, other.coroutine_); }

  // Holds a computation: neither empty, moved from, nor awaited.
  explicit operator bool() const noexcept { return static_cast<bool>(coroutine_); }

  // Of an empty task: usage_error.
  auto operator co_await() && { return detail::border_await<T>(take()); }

 private:
  friend promise_type;
  friend detail::promise_base;
  friend struct detail::task_access;

  explicit task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}

  std::coroutine_handle<promise_type> take() {
    if (!coroutine_) [[unlikely]] {
      throw usage_error(
          "co_await of an empty task: it was default-constructed, moved from, or awaited before");
    }
    return std::exchange(coroutine_, nullptr);
  }

  std::coroutine_handle<promise_type> coroutine_;
};

namespace detail {

template <class T>
task<T> promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}

inline task<void> promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

// The library's way to the coroutine of a task.
struct task_access {
  template <class T>
  static promise<T>& release(task<T>& from) noexcept {
    promise<T>* released = &std::exchange(from.coroutine_, nullptr).promise();
    // Keeps compilers from loading two neighbouring handles as one vector: each was stored by itself, and
    // just before, so that such a load would wait for both stores to reach the cache.
    asm("" : "+r"(released));
    return *released;
  }
};

}  // namespace detail

}  // namespace coppice::inline v0

#include <coppice/task_handle.h>
