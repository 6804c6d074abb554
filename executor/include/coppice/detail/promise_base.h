// What every coroutine of ours has in its frame: the job it is, and what goes on when it has ended.
//
// A frame is destroyed by whoever ends it: by itself behind its final suspension, or by its worker when it
// is stopped. What waits for it therefore owns no frame, only the place where the result goes.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/await_suspend.h>
#include <coppice/detail/job.h>
#include <coppice/detail/result_slot.h>
#include <coppice/detail/worker_core.h>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {
template <class T>
class task;
}  // namespace coppice::inline v0

namespace coppice::inline v0::detail {

class fork_base;
template <bool Plain>
struct final_awaiter;
template <class T>
class inline_await;
template <class A>
class bridge_await;

// What a receiver gives that has nothing to be run next: always the same, so that one can tell.
COPPICE_EXPORT std::coroutine_handle<> nothing_next() noexcept;

// One that is told how a coroutine ended, behind the destruction of its frame. Both return what runs next.
class receiver {
 public:
  // With a value or a failure.
  virtual std::coroutine_handle<> completed(worker_core& here) noexcept = 0;
  virtual std::coroutine_handle<> stopped(worker_core& here) noexcept = 0;

 protected:
  ~receiver() = default;
};

// What a coroutine still has to do between the end of its body and its own, while its frame is there.
class exit_hook {
 public:
  exit_hook(const exit_hook&) = delete;
  exit_hook& operator=(const exit_hook&) = delete;

  // The body has ended, or was stopped where the frame is suspended now. When all is done the hook takes itself out
  // and lets the coroutine go. Returns what runs next.
  virtual std::coroutine_handle<> body_ended(bool stopped, worker_core& here) noexcept = 0;

 protected:
  exit_hook() noexcept = default;
  ~exit_hook() = default;

  // Of the body, null if there is none. It has been told to nobody else.
  std::exception_ptr failure_;  // The coroutine; once that has ended, the hook.

 private:
  friend class promise_base;

  void* target_ = nullptr;  // Of the coroutine, meanwhile.
};

class promise_base : public job {
 public:
  promise_base(const promise_base&) = delete;
  promise_base& operator=(const promise_base&) = delete;

  std::suspend_always initial_suspend() const noexcept { return {}; }

  // What is ours is awaited as it is, what is not over a bridge: see foreign.h.
  template <class A>
    requires std::derived_from<std::remove_cvref_t<A>, own_awaitable>
  static decltype(auto) await_transform(A&& ours) noexcept {
    if constexpr (awaited_in_place<A>) {
      return in_place_awaiter<A>(ours);
    } else {
      return static_cast<A&&>(ours);
    }
  }
  template <class T>
  static inline_await<T> await_transform(task<T>&& child) {
    return inline_await<T>(child.take());
  }
  template <class A>
    requires(awaitable<A> && !std::derived_from<std::remove_cvref_t<A>, own_awaitable>)
  static bridge_await<A> await_transform(A&& foreign) {
    return bridge_await<A>(static_cast<A&&>(foreign));
  }

  std::coroutine_handle<> handle() noexcept {
    return std::coroutine_handle<promise_base>::from_promise(*this);
  }

  cancel_node* scope() const noexcept { return scope_; }

  // Makes `caller` go on when this coroutine has ended; both stand under the same scope.
  void continue_with(promise_base& caller, void* place) noexcept {
    continuation_ = continuation::caller;
    target_ = &caller;
    scope_ = caller.scope_;
    place_ = place;
  }

  // `task`: it is the cell of a spawned task, which this coroutine is the outermost of.
  void continue_with(receiver& other, cancel_node* scope, void* place, bool task = false) noexcept {
    continuation_ = task ? continuation::task : continuation::receiver;
    target_ = &other;
    scope_ = scope;
    place_ = place;
  }

  // `each`: the fork is a fork_each_base.
  void continue_with(fork_base& fork, bool each, cancel_node* scope, void* place) noexcept {
    continuation_ = each ? continuation::fork_each : continuation::fork;
    target_ = &fork;
    scope_ = scope;
    place_ = place;
    chain = 1;
  }

  // Makes it a job that resumes the coroutine.
  promise_base& as_job() noexcept {
    run = &promise_base::resume;
    return *this;
  }

  // Shall be told when the body has ended, before anything else is. Once.
  void set_hook(exit_hook& hook) noexcept {
    hook.target_ = std::exchange(target_, &hook);
    continuation_ = static_cast<continuation>(static_cast<unsigned char>(continuation_) | hook_bit);
  }

  // Null if there is none.
  exit_hook* hook() const noexcept {
    return hooked(continuation_) ? static_cast<exit_hook*>(target_) : nullptr;
  }

  // The body's end, a stop too, is as if it had not been yet.
  void take_hook_out() noexcept {
    target_ = hook()->target_;
    continuation_ = kind_of(continuation_);
  }

  // The same, of one that gave way: looks for a stop first.
  promise_base& as_yielded_job() noexcept {
    run = &promise_base::resume_yielded;
    return *this;
  }

  // Ends a suspended coroutine without its going on: destroys its frame and those that await it, innermost
  // first, up to the nearest catch point. Returns what runs next. From the worker's loop only.
  COPPICE_EXPORT static std::coroutine_handle<> unwind(promise_base& innermost,
                                                       worker_core& here) noexcept;

  // The same of one that waited immediately below its task's node, which has not been told that it waits no more.
  COPPICE_EXPORT static std::coroutine_handle<> unwind_below_task(promise_base& innermost,
                                                                  worker_core& here) noexcept;

  // Ends a suspended coroutine whose result has been given: destroys its frame, and goes on with what waits for it.
  static std::coroutine_handle<> leave_suspended(promise_base& ended, worker_core& here) noexcept;

  static void* operator new(std::size_t bytes) {
    worker_core* const here = current_worker;
    return here != nullptr ? here->frames.allocate(bytes) : frame_cache::allocate_foreign(bytes);
  }

  static void operator delete(void* frame, std::size_t bytes) noexcept {
    worker_core* const here = current_worker;
    here != nullptr ? here->frames.deallocate(frame, bytes)
                    : frame_cache::deallocate_foreign(frame, bytes);
  }

  // Of a fork's child: how many of its siblings ended one after the other, itself included.
  std::uint32_t chain;

 protected:
  promise_base() noexcept {}  // Not defaulted: that would let a value-initialisation clear it.
  ~promise_base() = default;

  // The coroutine has failed. `result` is null for a child of a fork_each, which has no slot of its own.
  void fail(failure_slot* result, std::exception_ptr error) noexcept;
  bool in_fork_each() const noexcept {
    // The analyzer sees a coroutine that nobody has started.  NOLINTNEXTLINE(*-core.CallAndMessage)
    return kind_of(continuation_) == continuation::fork_each;
  }

  // Is this what became of a stop in a foreign coroutine? Then it is a stop again.
  COPPICE_EXPORT bool stopped_by(const std::exception_ptr& error) const noexcept;
  void* place() const noexcept { return place_; }

 private:
  template <bool Plain>
  friend struct final_awaiter;

  enum class continuation : unsigned char { caller, fork, fork_each, receiver, task };

  // Set in continuation_: the end that the coroutine has reached is a stop; and what it goes on with waits for a hook.
  static constexpr unsigned char stop_bit = 0x80;
  static constexpr unsigned char hook_bit = 0x40;

  static constexpr continuation with_stop(continuation after) noexcept {
    return static_cast<continuation>(static_cast<unsigned char>(after) | stop_bit);
  }
  static constexpr continuation kind_of(continuation after) noexcept {
    return static_cast<continuation>(static_cast<unsigned char>(after) & ~(stop_bit | hook_bit));
  }
  static constexpr bool hooked(continuation after) noexcept {
    return (static_cast<unsigned char>(after) & hook_bit) != 0;
  }

  // `waits_at`: the node that is to be told that nothing waits at it, unless its task ends; null if it knows.
  static std::coroutine_handle<> unwind(promise_base& innermost, worker_core& here,
                                        cancel_node* waits_at) noexcept;

  // The body of one with a hook has ended.
  COPPICE_EXPORT static std::coroutine_handle<> end_body(promise_base& ended,
                                                         worker_core& here) noexcept;

  // What waited for a coroutine, whose frame is gone, is told of a stop. Returns what runs next.
  COPPICE_EXPORT static std::coroutine_handle<> stop_target(continuation after, void* target,
                                                            std::uint32_t chain,
                                                            worker_core& here) noexcept;

  static void resume(job& self, worker_core& here) noexcept {
    auto& task = static_cast<promise_base&>(self);
    here.scope = task.scope_;
    task.handle().resume();
  }

  COPPICE_EXPORT static void resume_yielded(job& self, worker_core& here) noexcept;

  // All are written when the coroutine is started, by its starter, and not before.
  continuation continuation_;
  void* target_;  // A promise_base, fork_base or receiver, as continuation_ says; or an exit_hook.
  cancel_node* scope_;
  void* place_;  // Where the result goes: see result_slot::place_of_value(). The starter.
};

}  // namespace coppice::inline v0::detail
