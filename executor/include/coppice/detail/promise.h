// The promise of task<T>, and how a coroutine that ran to its end hands over to what waited for it.
#pragma once

#include <coppice/detail/await_suspend.h>
#include <coppice/detail/fork_base.h>
#include <coppice/detail/promise_base.h>

#include <coroutine>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {
template <class T>
class task;
}  // namespace coppice::inline v0

namespace coppice::inline v0::detail {

// Destroys the frame and goes on with what waited for it. Everything needed is read before that.
struct final_awaiter {
  bool await_ready() const noexcept { return false; }

  template <class Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> self) const noexcept {
    promise_base& ended = self.promise();
    const auto continuation = ended.continuation_;
    if (continuation == promise_base::continuation::caller) [[likely]] {
      promise_base* const caller = ended.caller_;
      self.destroy();
      worker_core& here = *current_worker;
      return here.stack_left() ? caller->handle() : here.resume_from_loop(caller->handle());
    }
    if (continuation == promise_base::continuation::fork) {
      fork_base* const fork = ended.fork_;
      const std::uint32_t chain = ended.chain;
      self.destroy();
      worker_core& here = *current_worker;
      const std::coroutine_handle<> next = fork->child_ended(here, chain);
      return here.stack_left() ? next : here.resume_from_loop(next);
    }
    if (continuation == promise_base::continuation::fork_each) {
      auto* const fork = static_cast<fork_each_base*>(ended.fork_);
      const std::uint32_t chain = ended.chain;
      self.destroy();
      worker_core& here = *current_worker;
      const std::coroutine_handle<> next = fork->child_ended(here, chain);
      return here.stack_left() ? next : here.resume_from_loop(next);
    }
    receiver* const other = ended.receiver_;
    self.destroy();
    worker_core& here = *current_worker;
    const std::coroutine_handle<> next = other->completed(here);
    return here.stack_left() ? next : here.resume_from_loop(next);
  }

  void await_resume() const noexcept {}
};

inline final_awaiter promise_base::final_suspend() const noexcept { return {}; }

inline void promise_base::fail(failure_slot* result, std::exception_ptr error) noexcept {
  if (result == nullptr) {
    static_cast<fork_each_base*>(fork_)->child_failed(std::move(error), *current_worker);
    return;
  }
  result->fail(std::move(error));
  if (continuation_ == continuation::fork) {
    fork_->child_failed(*result);
  }
}

template <class T>
class promise final : public promise_base {
 public:
  promise() noexcept {}

  task<T> get_return_object() noexcept;

  template <class U>
    requires std::is_convertible_v<U, T>
  void return_value(U&& value) {
    if constexpr (result_slot<T>::direct) {
      ::new (place()) T(std::forward<U>(value));
    } else {
      if constexpr (std::is_assignable_v<T&, U>) {
        if (in_fork_each()) {
          *static_cast<T*>(place()) = std::forward<U>(value);
          return;
        }
      }
      result_slot<T>::of(place()).emplace(std::forward<U>(value));
    }
  }

  void unhandled_exception() noexcept {
    fail(in_fork_each() ? nullptr : &result_slot<T>::of(place()), std::current_exception());
  }
};

template <>
class promise<void> final : public promise_base {
 public:
  promise() noexcept {}

  task<void> get_return_object() noexcept;

  void return_void() const noexcept {}

  void unhandled_exception() noexcept {
    fail(in_fork_each() ? nullptr : &result_slot<void>::of(place()), std::current_exception());
  }
};

// A promise lies at one distance from the start of its frame whatever its type, so that a handle can be
// had from its base; and g++ misaligns frames of promises beyond 16.
static_assert(alignof(promise<int>) <= 16 && alignof(promise<void>) <= 16);

}  // namespace coppice::inline v0::detail
