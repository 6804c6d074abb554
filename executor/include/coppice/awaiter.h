// How to make one's own asynchronous operation awaitable and cancellable.
//
// For coroutine types of other libraries: a task awaited inside one hands a stop to its promise's
// unhandled_stopped() if it has one (a std::execution-like promise), else throws operation_cancelled there; that
// becomes a stop again where it escapes a task which is asked to stop. The await is on a worker (else
// usage_error), and stands under the scope of the task that runs there, if one does; such a coroutine must end
// before that task. A foreign awaitable awaited inside a task is checked for a stop on entry and not interrupted;
// the task goes on on a worker.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/cancel.h>
#include <coppice/detail/performing.h>
#include <coppice/site.h>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

namespace detail {

struct completion_access;

}  // namespace detail

// The promise to complete one operation: counted, copyable, any thread, also from within start(). The first
// call wins and returns true; later ones return false and do nothing. The task goes on on a worker, never
// inside the call, and sees what the caller did before. Every copy dropped without a call: the task fails with
// usage_error. An empty one (default-constructed, moved from) completes nothing: its calls return false.
template <class T = void>
class completion {
 public:
  completion() noexcept = default;
  completion(const completion& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) {
      state_->add_completion();
    }
  }
  completion(completion&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  completion& operator=(completion other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~completion() {
    if (state_ != nullptr) {
      state_->drop_completion();
    }
  }

  // If moving the value throws, that is the task's failure.
  bool complete(std::conditional_t<std::is_void_v<T>, std::nullptr_t, T> value) const noexcept {
    if (!first()) {
      return false;
    }
    if constexpr (!std::is_void_v<T>) {
      state_->set(std::forward<T>(value));
    }
    state_->end();
    return true;
  }

  bool complete() const noexcept
    requires std::is_void_v<T>
  {
    return complete(nullptr);
  }

  bool fail(std::exception_ptr error) const noexcept {
    if (!first()) {
      return false;
    }
    state_->end_failed(std::move(error));
    return true;
  }

  // Withdrawn without effect, as asked by cancel(): the task is stopped. Unasked: usage_error in the task.
  bool stopped() const noexcept {
    const auto call = begin_call();
    if (call == detail::completion_state::call::late) {
      return false;
    }
    state_->end_stopped(call == detail::completion_state::call::first_and_asked);
    return true;
  }

 private:
  friend struct detail::completion_access;

  explicit completion(detail::typed_completion_state<T>& counted) noexcept : state_(&counted) {}

  detail::completion_state::call begin_call() const noexcept {
    return state_ != nullptr ? state_->begin_call() : detail::completion_state::call::late;
  }
  bool first() const noexcept { return begin_call() != detail::completion_state::call::late; }

  detail::typed_completion_state<T>* state_ = nullptr;  // One of its completions is ours.
};

// The contract:
//   value_type            what the await gives
//   start(completion<T>)  begins; called once, on the awaiting task's worker, not if a stop is already
//                         requested (checked on entry). What it throws is thrown by the await, and the
//                         completions it gave away do nothing.
//   cancel() noexcept     the task is asked to stop. Called at most once, on a worker, after start() has
//                         returned, not if a completing call has been made, but perhaps at the same time as
//                         one. It must lead soon to one of the three; a value that comes all the same is
//                         delivered.
// The object lives, unmoved, until completed; and also until cancel() has returned, which may be later: to wait
// for it inside a completing call that another thread makes meanwhile could deadlock with a lock that both
// take. So cancel() may still be at work, or about to begin, when such a call returns; what it uses besides the
// object must allow for that. Nothing else of the operation may touch the object after its completing call.
template <class Op>
concept cancellable_operation = requires(Op& op, completion<typename Op::value_type> done) {
  op.start(done);
  { op.cancel() } noexcept;
};

namespace detail {

// The library's way to a completion.
struct completion_access {
  template <class T>
  static completion<T> make(typed_completion_state<T>& counted) noexcept {
    return completion<T>(counted);
  }
};

// Callables in the form of an operation; Start and Cancel are references to lvalues, or objects.
template <class T, class Start>
class started_call_operation {
 public:
  using value_type = T;

  explicit started_call_operation(Start&& start) : start_(static_cast<Start&&>(start)) {}

  void start(completion<T> done) { std::invoke(start_, std::move(done)); }

 private:
  Start start_;
};

template <class T, class Start, class Cancel>
class cancelled_call_operation : public started_call_operation<T, Start> {
 public:
  cancelled_call_operation(Start&& start, Cancel&& cancel)
      : started_call_operation<T, Start>(static_cast<Start&&>(start)),
        cancel_(static_cast<Cancel&&>(cancel)) {}

  void cancel() noexcept { std::invoke(cancel_); }

 private:
  Cancel cancel_;
};

// What perform() gives. Op is a reference to an lvalue, or an object.
template <class Op>
class [[nodiscard]] perform_operation : public own_awaitable, operation_wait {
 public:
  using value_type = typename std::remove_cvref_t<Op>::value_type;

  perform_operation(Op&& op, const source_site& site)
      : operation_wait(how_to_cancel()), op_(static_cast<Op&&>(op)), site_(site) {}

  // Before the await.
  perform_operation(perform_operation&& other) noexcept(std::is_reference_v<Op> ||
                                                        std::is_nothrow_move_constructible_v<Op>)
      : operation_wait(std::move(other)), op_(static_cast<Op&&>(other.op_)), site_(other.site_) {}

  ~perform_operation() = default;

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    worker_core& here = *current_worker;
    promise_base& task = awaiting.promise();
    const epoch seen = here.now();
    if (task.scope()->cancelled_at(seen)) [[unlikely]] {
      return here.stop_from_loop(task);
    }
    begin(task, here, name_of_wait());
    try {
      auto* const made = new typed_completion_state<value_type>(*this, wait(), site_);
      keep(*made);
      op_.start(completion_access::make(*made));
    } catch (...) {
      give_up();
      throw;
    }
    return suspend(here, seen);
  }

  value_type await_resume() {
    withdraw();
    return static_cast<typed_completion_state<value_type>&>(state()).take();
  }

  // What is performed, for operations that are made of this one.
  Op&& operation() noexcept { return static_cast<Op&&>(op_); }
  const source_site& site() const noexcept { return site_; }

 private:
  static constexpr canceller* how_to_cancel() noexcept {
    if constexpr (requires(std::remove_reference_t<Op>& op) { op.cancel(); }) {
      return
          [](operation_wait& self) noexcept { static_cast<perform_operation&>(self).op_.cancel(); };
    } else {
      return nullptr;
    }
  }

  // The library's own operations have a name in dumps.
  static constexpr const char* name_of_wait() noexcept {
    using operation = std::remove_cvref_t<Op>;
    if constexpr (requires {
                    { operation::wait_name } -> std::same_as<const char* const&>;
                  }) {
      return operation::wait_name;
    } else {
      return "operation";
    }
  }

  Op op_;
  const source_site site_;
};

}  // namespace detail

// Awaits such an operation: an lvalue by reference, an rvalue moved in. Can stand in select, gather,
// with_timeout. A cancellation point: on entry a stop is delivered before start(), later it calls cancel().
// Allocates when awaited: std::bad_alloc.
template <class Op>
  requires cancellable_operation<std::remove_cvref_t<Op>>
detail::guarded_value<detail::perform_operation<Op>, Op> perform(
    Op&& op, source_site site = source_site::current()) {
  return {std::forward<Op>(op), site};
}

// The same from callables: start(completion<T>), cancel() noexcept. Without a cancel the wait cannot be
// interrupted: the stop is delivered at the next point.
template <class T, class Start>
  requires std::is_invocable_v<Start&, completion<T>>
detail::guarded<detail::perform_operation<detail::started_call_operation<T, Start>>, Start> perform(
    Start&& start, source_site site = source_site::current()) {
  return {detail::started_call_operation<T, Start>(std::forward<Start>(start)), site};
}

template <class T, class Start, class Cancel>
  requires std::is_invocable_v<Start&, completion<T>> && std::is_nothrow_invocable_v<Cancel&>
detail::guarded<detail::perform_operation<detail::cancelled_call_operation<T, Start, Cancel>>,
                Start, Cancel>
perform(Start&& start, Cancel&& cancel, source_site site = source_site::current()) {
  return {detail::cancelled_call_operation<T, Start, Cancel>(std::forward<Start>(start),
                                                             std::forward<Cancel>(cancel)),
          site};
}

// Shown by dumps as what the current task waits for, until its next await: of the wait that comes next or, said
// in start(), of this one. The text must be static. Outside tasks it does nothing.
COPPICE_EXPORT void describe_wait(const char* what) noexcept;

}  // namespace coppice::inline v0
