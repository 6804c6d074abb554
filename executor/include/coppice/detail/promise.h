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
//
// Plain: nothing in the frame has a destructor any more, since the locals are gone and the parameters have
// none. Its memory is then given back as it is. The call through the frame that destroy() is cost a tenth of
// a fork-join's time: with g++ it goes through the coroutine's whole dispatch.
template <bool Plain>
struct final_awaiter {
  bool await_ready() const noexcept { return false; }

  template <class Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> self) const noexcept {
    promise_base& ended = self.promise();
    const auto continuation = ended.continuation_;
    void* const target = ended.target_;
    const std::uint32_t chain = ended.chain;
    worker_core& here = *current_worker;
    if (promise_base::hooked(continuation)) [[unlikely]] {
      return promise_base::end_body(ended, here);
    }
    if (Plain && here.frames.pooled()) [[likely]] {
      here.frames.deallocate_pooled(self.address());
    } else {
      self.destroy();
    }
    const std::coroutine_handle<> next = go_on(continuation, target, chain, here);
    return here.stack_left() ? next : here.resume_from_loop(next);
  }

  void await_resume() const noexcept {}

 private:
  friend class promise_base;
  using kind = promise_base::continuation;

  [[gnu::always_inline]] static std::coroutine_handle<> go_on(kind continuation, void* target,
                                                              std::uint32_t chain,
                                                              worker_core& here) noexcept {
    if (continuation == kind::caller) [[likely]] {
      return static_cast<promise_base*>(target)->handle();
    }
    if (continuation == kind::fork) {
      return static_cast<fork_base*>(target)->child_ended(here, chain);
    }
    if (continuation == kind::fork_each) {
      return static_cast<fork_each_base*>(static_cast<fork_base*>(target))
          ->child_ended(here, chain);
    }
    if (continuation == kind::receiver || continuation == kind::task) [[likely]] {
      return static_cast<receiver*>(target)->completed(here);
    }
    return promise_base::stop_target(continuation, target, chain, here);
  }
};

inline std::coroutine_handle<> promise_base::leave_suspended(promise_base& ended,
                                                             worker_core& here) noexcept {
  const auto after = ended.continuation_;
  if (hooked(after)) {
    return end_body(ended, here);
  }
  void* const target = ended.target_;
  const std::uint32_t ended_in_chain = ended.chain;
  ended.handle().destroy();
  return final_awaiter<false>::go_on(after, target, ended_in_chain, here);
}

inline void promise_base::fail(failure_slot* result, std::exception_ptr error) noexcept {
  if (stopped_by(error)) {
    continuation_ = with_stop(continuation_);
    return;
  }
  if (exit_hook* const waiting = hook()) [[unlikely]] {
    waiting->failure_ = std::move(error);
    return;
  }
  if (result == nullptr) {
    static_cast<fork_each_base*>(static_cast<fork_base*>(target_))
        ->child_failed(std::move(error), scope_, *current_worker);
    return;
  }
  result->fail(std::move(error));
  if (continuation_ == continuation::fork) {
    static_cast<fork_base*>(target_)->child_failed(*result, scope_);
  }
}

// The result of a fork_each's child goes to an object that is there. Where it is instantiated for a type
// that only warns of being assigned, its users may never run it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-copy"
template <class To, class From>
void assign(To& to, From&& from) {
  to = std::forward<From>(from);
}
#pragma GCC diagnostic pop

template <class T>
class promise : public promise_base {
 public:
  promise() noexcept {}

  task<T> get_return_object() noexcept;
  final_awaiter<false> final_suspend() const noexcept { return {}; }

  // By value: it is converted where it is written, as in a function's return.
  void return_value(T value)
    requires(result_slot<T>::direct)
  {
    ::new (place()) T(std::move(value));
  }

  template <class U>
    requires(!result_slot<T>::direct && std::is_convertible_v<U, T>)
  void return_value(U&& value) {
    if constexpr (std::is_assignable_v<T&, U>) {
      if (in_fork_each()) {
        assign(*static_cast<std::remove_reference_t<T>*>(place()), std::forward<U>(value));
        return;
      }
    }
    result_slot<T>::of(place()).emplace(std::forward<U>(value));
  }

  void unhandled_exception() noexcept { fail_with(std::current_exception()); }

  // The coroutine ends with that failure, whatever it has returned.
  void fail_with(std::exception_ptr error) noexcept {
    if (in_fork_each()) {
      fail(nullptr, std::move(error));
      return;
    }
    auto& result = result_slot<T>::of(place());
    if constexpr (result_slot<T>::tracked) {
      result.clear();  // A destructor has thrown behind co_return.
    }
    fail(&result, std::move(error));
  }
};

template <>
class promise<void> : public promise_base {
 public:
  promise() noexcept {}

  task<void> get_return_object() noexcept;
  final_awaiter<false> final_suspend() const noexcept { return {}; }

  void return_void() const noexcept {}

  void unhandled_exception() noexcept { fail_with(std::current_exception()); }

  void fail_with(std::exception_ptr error) noexcept {
    fail(in_fork_each() ? nullptr : &result_slot<void>::of(place()), std::move(error));
  }
};

// Of a coroutine all of whose parameters go without a destructor.
template <class T>
class plain_promise final : public promise<T> {
 public:
  plain_promise() noexcept {}

  final_awaiter<true> final_suspend() const noexcept { return {}; }
};

// A promise lies at one distance from the start of its frame whatever its type, so that a handle can be
// had from its base; and g++ misaligns frames of promises beyond 16.
static_assert(alignof(promise<int>) <= 16 && alignof(promise<void>) <= 16);
static_assert(std::is_trivially_destructible_v<promise<int>>);
static_assert(sizeof(plain_promise<int>) == sizeof(promise<int>));

}  // namespace coppice::inline v0::detail

// Which promise a coroutine has is decided by what its parameters need at the end.
template <class T, class... Parameters>
struct std::coroutine_traits<coppice::task<T>, Parameters...> {
  using promise_type =
      std::conditional_t<(std::is_trivially_destructible_v<Parameters> && ...),
                         coppice::detail::plain_promise<T>, coppice::detail::promise<T>>;
};
