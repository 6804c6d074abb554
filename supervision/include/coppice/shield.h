// Work that a cancel from above must not interrupt, and the ways to see or pass on a stop.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/body.h>
#include <coppice/detail/export.h>
#include <coppice/outcome.h>
#include <coppice/scope.h>

#include <concepts>
#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

namespace detail {

// What the body is given and gives, as it is.
class shield_policy {
 public:
  template <class T>
  using result = T;

  explicit shield_policy(std::optional<duration> grace) noexcept : grace_(grace) {}

  COPPICE_EXPORT core_ref make(worker_core& here) const;
  open_scope& face(scope_core& core) noexcept { return face_.make(core); }
  static void body_failed(scope_core&, const std::exception_ptr&) noexcept {}
  static bool failed(scope_core&, const failure_slot& body) noexcept { return body.failed(); }

  template <class T>
  static T finish(scope_run& end, result_slot<T>& body) {
    return take_result(end, body);
  }

 private:
  std::optional<duration> grace_;
  late_face<open_scope> face_;
};

// A body without a scope of its own, whose end its host sees.
class COPPICE_EXPORT settled_run : public receiver, public job {
 public:
  settled_run& operator=(const settled_run&) = delete;

 protected:
  settled_run() noexcept = default;
  settled_run(settled_run&&) noexcept {}  // Before the await.
  ~settled_run() = default;

  std::coroutine_handle<> begin(promise_base& host, promise_base& body, void* place,
                                worker_core& here) noexcept;

  bool was_stopped() const noexcept { return stopped_; }
  cancel_reason reason() const noexcept;
  error_entry entry_for(std::exception_ptr error) const noexcept;
  promise_base& host() const noexcept { return *host_; }

 private:
  std::coroutine_handle<> completed(worker_core& here) noexcept override;
  std::coroutine_handle<> stopped(worker_core& here) noexcept override;

  promise_base* host_ = nullptr;  // begin().
  bool stopped_ = false;          // stopped().
};

template <class T, class A>
class [[nodiscard]] as_result_operation : public own_awaitable, settled_run {
 public:
  using value_type = outcome<T>;

  explicit as_result_operation(A&& from) : from_(static_cast<A&&>(from)) { result_.reset(); }
  as_result_operation(as_result_operation&& other) noexcept(
      std::is_nothrow_move_constructible_v<kept_body<A>>)
      : settled_run(std::move(other)), from_(std::move(other.from_)) {
    result_.reset();
  }
  ~as_result_operation() { result_.clear(); }

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    task<T> made = start_body<T, A>(from_.get());
    return begin(awaiting.promise(), task_access::release(made), result_.place_of_value(),
                 *current_worker);
  }

  outcome<T> await_resume() {
    if (result_.failed()) {
      error_entry entry = entry_for(result_.take_failure());
      const auto* const cancelled = entry.get_if<task_cancelled>();
      if (cancelled != nullptr && cancelled->id() == task_id::none) {
        return outcome<T>::cancelled_with(
            cancelled->reason());  // A scope that has absorbed its own request.
      }
      return outcome<T>::failed_with(std::move(entry));
    }
    if (was_stopped()) {
      return outcome<T>::cancelled_with(reason());
    }
    if constexpr (std::is_void_v<T>) {
      return outcome<T>(nullptr);
    } else if constexpr (std::is_reference_v<T>) {
      return outcome<T>(result_.take_value());
    } else {
      return outcome<T>(std::in_place, result_.take_value());
    }
  }

 private:
  kept_body<A> from_;
  result_slot<T> result_;
};

template <class T, class A>
class [[nodiscard]] nothrow_operation : public own_awaitable, settled_run {
 public:
  using value_type = T;

  explicit nothrow_operation(A&& from) : from_(static_cast<A&&>(from)) { result_.reset(); }
  nothrow_operation(nothrow_operation&& other) noexcept(
      std::is_nothrow_move_constructible_v<kept_body<A>>)
      : settled_run(std::move(other)), from_(std::move(other.from_)) {
    result_.reset();
  }
  ~nothrow_operation() { result_.clear(); }

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    fail_host_ = [](promise_base& failing, std::exception_ptr error) noexcept {
      static_cast<Promise&>(failing).fail_with(std::move(error));
    };
    task<T> made = start_body<T, A>(from_.get());
    return begin(awaiting.promise(), task_access::release(made), result_.place_of_value(),
                 *current_worker);
  }

  T await_resume() { return result_.take_value(); }

 private:
  // The operation lies in the frame that ends.
  std::coroutine_handle<> completed(worker_core& here) noexcept override {
    promise_base& ending = host();
    here.scope = ending.scope();
    if (!result_.failed()) {
      return ending.handle();
    }
    if (!here.stack_left()) {
      run = &nothrow_operation::fail_later;
      here.post_next(*this);
      return std::noop_coroutine();
    }
    fail_host_(ending, result_.take_failure());
    return promise_base::leave_suspended(ending, here);
  }

  static void fail_later(job& self, worker_core& here) noexcept {
    auto& failing = static_cast<nothrow_operation&>(static_cast<settled_run&>(self));
    failing.completed(here).resume();
  }

  std::coroutine_handle<> stopped(worker_core& here) noexcept override {
    return here.stop_from_loop(host());
  }

  void (*fail_host_)(promise_base&, std::exception_ptr) noexcept = nullptr;
  kept_body<A> from_;
  result_slot<T> result_;
};

class [[nodiscard]] stop_operation : public own_awaitable {
 public:
  using value_type = void;

  stop_operation() noexcept {}

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) const {
    worker_core& here = *current_worker;
    if (!here.cancelled_anew(*awaiting.promise().scope())) {
      throw_nothing_to_stop();
    }
    return here.stop_from_loop(awaiting.promise());
  }

  void await_resume() const noexcept {}

 private:
  [[noreturn]] COPPICE_EXPORT static void throw_nothing_to_stop();
};

// How a stop point asks whether a stop is requested: who has seen another stopped, by what may be the same request, does not
// trust what it remembers.
enum class asks { as_usual, behind_a_stop };

// Stops there if a stop is requested: a cancellation point and nothing else.
class [[nodiscard]] stop_point : public own_awaitable {
 public:
  using value_type = void;

  explicit stop_point(asks how = asks::as_usual) noexcept : how_(how) {}

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) const noexcept {
    worker_core& here = *current_worker;
    cancel_node& scope = *awaiting.promise().scope();
    const bool stops =
        how_ == asks::behind_a_stop ? here.cancelled_anew(scope) : scope.cancelled_at(here.now());
    return stops ? here.stop_from_loop(awaiting.promise()) : std::coroutine_handle<>(awaiting);
  }

  void await_resume() const noexcept {}

 private:
  asks how_;
};

}  // namespace detail

// Requests from above do not reach the body; they are delivered at the first point behind it. With a grace: kept out
// until grace after the request, then let through.
template <class Body>
detail::guarded<
    detail::scope_operation<detail::body_value_t<Body, cancel_scope&>, detail::shield_policy, Body>,
    Body>
shield(Body&& body) {
  return {detail::shield_policy(std::nullopt), std::forward<Body>(body)};
}

template <class Body>
detail::guarded<
    detail::scope_operation<detail::body_value_t<Body, cancel_scope&>, detail::shield_policy, Body>,
    Body>
shield(duration grace, Body&& body) {
  return {detail::shield_policy(grace), std::forward<Body>(body)};
}

// The only way to observe a stop: value, failure or cancelled, nothing thrown. The request stays set: the next point
// stops, unless the code awaits stop() first or shields itself. A scope that was stopped by its own request alone, and
// was to give a value, shows as cancelled too; nothing is requested of the caller then. That a handle's task was
// cancelled is a failure, task_cancelled: it is no stop of the caller.
template <awaitable A>
detail::as_result_operation<awaited_t<A>, A> as_result(A&& a) {
  return detail::as_result_operation<awaited_t<A>, A>(std::forward<A>(a));
}

// The value; a failure goes on to this coroutine's awaiter without being thrown here: its frame is destroyed, no catch
// in it runs. (At depth 10 that costs 1.4 us where throwing at each level costs 16.8.)
template <awaitable A>
detail::nothrow_operation<awaited_t<A>, A> nothrow(A&& a) {
  return detail::nothrow_operation<awaited_t<A>, A>(std::forward<A>(a));
}

// Goes on with a stop that as_result showed; never returns. If no request is set: usage_error.
inline detail::stop_operation stop() noexcept {
  return detail::stop_operation();
}

}  // namespace coppice::inline v0
