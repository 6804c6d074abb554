// Work that must be done on the way out, and may await.
//
// A coroutine that has handlers is told of its body's end before anybody else is: see exit_hook. Its handlers then run
// one after the other, each in a shielded scope of its own, while its frame stays; behind them it goes on to its end.
// A handler's coroutine and scope are made when it is registered: on the way out no memory is asked for.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/body.h>
#include <coppice/detail/export.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/result_slot.h>
#include <coppice/detail/scope_core.h>
#include <coppice/outcome.h>
#include <coppice/shield.h>
#include <coppice/task.h>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

struct cleanup_options {
  duration grace = std::chrono::seconds(5);  // Past it the cleanup is stopped, and reported.
};

namespace detail {

class exit_scope;

// At which ends of the body a handler runs.
enum class exit_kind { any, stop, failure };

// The handlers of one coroutine.
class COPPICE_EXPORT exit_handlers final : public exit_hook, receiver, scope_joiner {
 public:
  using fail_coroutine = void(promise_base&, std::exception_ptr) noexcept;

  // Those of `coroutine`, which is running. Throws std::bad_alloc.
  static exit_handlers& of(promise_base& coroutine, fail_coroutine* fail);

  // Of all of them the newest is run first. Throws std::bad_alloc.
  void add(exit_kind when, duration grace, task<>&& handler, worker_core& here);

  // What handlers are told.
  cancel_reason tell(cancel_reason*) const noexcept;
  error_entry tell(error_entry*) const noexcept;

 private:
  exit_handlers(promise_base& host, fail_coroutine* fail) noexcept;
  ~exit_handlers() = default;

  std::coroutine_handle<> body_ended(bool stopped, worker_core& here) noexcept override;
  std::coroutine_handle<> completed(worker_core& here) noexcept override;
  std::coroutine_handle<> stopped(worker_core& here) noexcept override;

  std::coroutine_handle<> go_on(worker_core& here) noexcept;
  std::coroutine_handle<> go_on_later(worker_core& here) noexcept;
  std::coroutine_handle<> begin(exit_scope& handler, worker_core& here) noexcept;
  void end(exit_scope& handler, worker_core& here) noexcept;
  std::coroutine_handle<> leave(worker_core& here) noexcept;
  bool wanted(exit_kind when) const noexcept;
  void take_failure(std::exception_ptr error, exit_scope& of, worker_core& here) noexcept;

  promise_base& host_;
  fail_coroutine* const fail_;
  exit_scope* newest_ = nullptr;   // add(), then go_on().
  exit_scope* running_ = nullptr;  // begin(), end().
  bool stopped_ = false;           // The body. body_ended().
  bool handler_stopped_ = false;   // The one that runs.
  result_slot<void> result_;       // Of the one that runs.
};

// `Told`: what the handler takes, if anything.
template <class Fn, class... Told>
task<> run_handler(Fn fn, [[maybe_unused]] const exit_handlers& end) {
  const std::tuple<Told...> told(end.tell(static_cast<Told*>(nullptr))...);
  if constexpr (awaitable<std::invoke_result_t<Fn&, const Told&...>>) {
    co_await std::apply(fn, told);
  } else {
    std::apply(fn, told);
    co_return;
  }
}

template <class Given>
inline constexpr bool gives_nothing = std::is_void_v<Given>;
template <awaitable Given>
inline constexpr bool gives_nothing<Given> = std::is_void_v<awaited_t<Given>>;

template <exit_kind When, class Fn, class... Told>
class [[nodiscard]] exit_registration : public own_awaitable {
  static_assert(gives_nothing<std::invoke_result_t<Fn&, const Told&...>>,
                "coppice: a handler gives nothing, or task<>");

 public:
  using value_type = void;

  template <class From>
  exit_registration(duration grace, From&& fn) : grace_(grace), fn_(std::forward<From>(fn)) {}

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<Promise> awaiting) {
    exit_handlers& all = exit_handlers::of(
        awaiting.promise(), [](promise_base& failing, std::exception_ptr error) noexcept {
          static_cast<Promise&>(failing).fail_with(std::move(error));
        });
    all.add(When, grace_, run_handler<Fn, Told...>(std::move(fn_), all), *current_worker);
    return false;
  }

  void await_resume() const noexcept {}

 private:
  duration grace_;
  Fn fn_;
};

template <class Fn>
using any_registration = exit_registration<exit_kind::any, std::decay_t<Fn>>;

// Tells it to the handler if that takes it.
template <exit_kind When, class Told, class Fn>
using telling_registration =
    std::conditional_t<std::is_invocable_v<std::decay_t<Fn>&, const Told&>,
                       std::type_identity<exit_registration<When, std::decay_t<Fn>, Told>>,
                       std::type_identity<exit_registration<When, std::decay_t<Fn>>>>::type;

template <class T, class Body, class Cleanup>
task<T> clean_up_behind(cleanup_options options, kept_body<Body> body, kept_body<Cleanup> cleanup) {
  const auto handler = [&cleanup] { return std::invoke(cleanup.get()); };
  co_await any_registration<decltype(handler)>(options.grace, handler);
  co_return co_await nothrow_operation<T, Body>(static_cast<Body&&>(body.get()));
}

}  // namespace detail

// Runs the body, then the cleanup, whatever the end: value, failure, stop. The cleanup is a callable giving task<> or
// nothing, and runs shielded; what both use lies in the caller's frame. Its failure: beside a failure of the body a
// suppressed one of it, and reported; while stopped it makes a failure with context; else it is thrown. One that does
// not end within its grace is stopped, and that is reported. No cancellation point. Throws std::bad_alloc before the
// body begins.
template <class Body, class Cleanup>
detail::guarded<task<detail::body_value_t<Body>>, Body, Cleanup> with_cleanup(
    cleanup_options options, Body&& body, Cleanup&& cleanup) {
  return detail::clean_up_behind<detail::body_value_t<Body>, Body, Cleanup>(
      options, detail::kept_body<Body>(std::forward<Body>(body)),
      detail::kept_body<Cleanup>(std::forward<Cleanup>(cleanup)));
}

template <class Body, class Cleanup>
detail::guarded<task<detail::body_value_t<Body>>, Body, Cleanup> with_cleanup(Body&& body,
                                                                              Cleanup&& cleanup) {
  return with_cleanup(cleanup_options(), std::forward<Body>(body), std::forward<Cleanup>(cleanup));
}

// Registers a handler with the awaiting coroutine, to run behind its body and before its awaiter goes on, the newest
// first. It must own what it uses (an lvalue is copied): locals are gone, except those of a coroutine that stops, and
// parameters are there. fn: task<>() or void(). No cancellation point: once awaited, it is registered; before that it
// throws std::bad_alloc. Failures and grace: as with_cleanup; one that fails keeps none from running.
template <class Fn>
detail::guarded<detail::any_registration<Fn>, Fn> on_exit(cleanup_options options, Fn&& fn) {
  return {options.grace, std::forward<Fn>(fn)};
}

template <class Fn>
detail::guarded<detail::any_registration<Fn>, Fn> on_exit(Fn&& fn) {
  return {cleanup_options().grace, std::forward<Fn>(fn)};
}

// Runs only when the body was stopped, whatever the handlers before made of that. fn may take a cancel_reason.
template <class Fn>
detail::guarded<detail::telling_registration<detail::exit_kind::stop, cancel_reason, Fn>, Fn>
on_cancel(Fn&& fn) {
  return {cleanup_options().grace, std::forward<Fn>(fn)};
}

// Runs only on a failure, of the body or of a handler behind a body that gave a value. fn may take a const
// error_entry&.
template <class Fn>
detail::guarded<detail::telling_registration<detail::exit_kind::failure, error_entry, Fn>, Fn>
on_error(Fn&& fn) {
  return {cleanup_options().grace, std::forward<Fn>(fn)};
}

}  // namespace coppice::inline v0
