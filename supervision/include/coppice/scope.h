// A cancel scope: a node of the tree that can be cancelled, shielded, and given a deadline.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/export.h>
#include <coppice/detail/scope_core.h>
#include <coppice/detail/scope_run.h>
#include <coppice/report.h>
#include <coppice/site.h>
#include <coppice/spawn.h>

#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

namespace detail {
struct scope_access;
}

// A counted reference to a scope, for callbacks, other threads and other trees: copyable, outlives the scope; after
// the exit every request is a no-op. spawn works for handles of groups and supervisors (else usage_error); after the
// exit it throws scope_closed. Any thread may use any copy.
class COPPICE_EXPORT scope_handle : public spawner<scope_handle> {
 public:
  scope_handle() noexcept = default;

  explicit operator bool() const noexcept { return static_cast<bool>(core_); }

  // The exit has happened, or the handle is empty.
  bool closed() const noexcept { return !core_ || core_->closed(); }

  // As long as the handle lives.
  std::string_view name() const noexcept { return core_ ? core_->name() : std::string_view(); }

  // Never blocks or allocates, runs no user code. The first reason wins.
  void cancel(const cancel_reason& reason = {}) const noexcept {
    if (core_) {
      core_->cancel(reason);
    }
  }

  // Of a supervisor: see there; of another scope: cancel, kind shutdown. Async-signal-safe.
  void request_shutdown() const noexcept {
    if (core_) {
      core_->request_shutdown();
    }
  }

  // Allocates on first use; throws std::bad_alloc. Of an empty handle: an empty one.
  cancel_token token() const { return core_ ? core_->token() : cancel_token(); }

 private:
  friend struct detail::scope_access;
  friend struct detail::spawn_access;

  explicit scope_handle(detail::core_ref core) noexcept : core_(std::move(core)) {}

  detail::task_keeper& task_keeper_of() const;

  detail::core_ref core_;
};

// The scope itself. A reference is valid inside its body only; what outlives the body takes handle() or token().
class COPPICE_EXPORT cancel_scope {
 public:
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;

  // Asks everything below to stop: sticky, idempotent, any thread; never blocks or allocates, runs no user code.
  // The scope absorbs it: its host goes on behind the scope.
  void cancel(const cancel_reason& reason = {}) noexcept {
    if (core_) {
      core_->cancel(reason);
    }
  }

  // Requested on this scope or above it, up to a shield.
  bool cancelled() const noexcept { return core_ && core_->cancelled(); }

  // The first; meaningful if cancelled().
  cancel_reason reason() const noexcept {
    return core_ ? core_->reason() : detail::reason_access::none();
  }

  // Allocates on first use; throws std::bad_alloc.
  cancel_token token() const { return core_ ? core_->token() : cancel_token(); }
  scope_handle handle() const noexcept;
  std::string_view name() const noexcept { return core_ ? core_->name() : std::string_view(); }

  // The deadline cancels the scope (kind deadline). By the host only, that is by the body. reschedule(nullopt)
  // removes it; one in the past acts at once; one moved on after it has passed has no effect. Throws std::bad_alloc.
  std::optional<time_point> deadline() const noexcept {
    return core_ ? core_->deadline() : std::nullopt;
  }
  void reschedule(std::optional<time_point> when);
  void reschedule_after(duration d);

  // The deadline was this scope's first reason.
  bool expired() const noexcept { return core_ && core_->expired(); }

  // Keeps requests from above out, not the scope's own; lifting it delivers what is pending at the next point. By
  // the host only.
  void set_shield(bool shielded);
  bool shielded() const noexcept { return core_ && core_->node().shielded(); }

  // A stop there cancels this scope, until the scope ends; so does one of those bound before. By the host only. Throws
  // std::bad_alloc.
  void bind(std::stop_token foreign);

  // Reports of this subtree go here first, nearest wins; a supervisor's children's failures likewise. Called on a
  // worker, possibly on several at once; what it throws is reported to the next handler outwards. Returns the
  // previous one; empty removes it.
  error_handler on_error(error_handler handler);

 protected:
  cancel_scope() noexcept = default;
  explicit cancel_scope(detail::core_ref core) noexcept : core_(std::move(core)) {}
  ~cancel_scope() = default;

 private:
  friend struct detail::scope_access;

  detail::scope_core& open_core(const char* call) const;
  detail::scope_core& hosted_core(const char* call) const;

  detail::core_ref core_;  // Empty: a manual scope that is not open.
};

// Aggregate; the name is copied.
struct scope_options {
  std::string_view name = {};
  std::optional<duration> timeout = {};  // From the opening.
  bool shield = false;
  source_site site = source_site::current();
};

// What a scope without children gives back.
template <class T>
struct scope_result {
  std::optional<T> value;         // Empty: stopped by the scope's own request.
  bool cancelled_caught = false;  // The scope absorbed its own request.
  bool expired = false;           // And it was the deadline's.
  cancel_reason reason = detail::reason_access::none();

  explicit operator bool() const noexcept { return !cancelled_caught; }
};

template <>
struct scope_result<void> {
  bool cancelled_caught = false;
  bool expired = false;
  cancel_reason reason = detail::reason_access::none();

  explicit operator bool() const noexcept { return !cancelled_caught; }
};

namespace detail {

// The library's way to what is behind a scope's references.
struct scope_access {
  static scope_handle handle(core_ref core) noexcept { return scope_handle(std::move(core)); }
  static const core_ref& core(const scope_handle& of) noexcept { return of.core_; }
  static const core_ref& core(const cancel_scope& of) noexcept { return of.core_; }
  static core_ref& core(cancel_scope& of) noexcept { return of.core_; }
};

// A face, made when the scope is; until then, and only then, it can be moved.
template <class Face>
class late_face {
 public:
  late_face() noexcept {}
  late_face(late_face&&) noexcept {}
  late_face& operator=(late_face&&) = delete;
  ~late_face() {
    if (made_) {
      face_.~Face();
    }
  }

  Face& make(scope_core& core) noexcept {
    ::new (static_cast<void*>(&face_)) Face(core_ref::share(&core));
    made_ = true;
    return face_;
  }

 private:
  union {
    Face face_;
  };
  bool made_ = false;
};

struct open_scope final : cancel_scope {
  explicit open_scope(core_ref core) noexcept : cancel_scope(std::move(core)) {}
};

// `from` is when the scope opens.
COPPICE_EXPORT core_ref open_strand_scope(const scope_options& options, worker_core& here);

// A value of the body's, as others keep it.
template <class T>
using stored = std::conditional_t<std::is_reference_v<T>,
                                  std::reference_wrapper<std::remove_reference_t<T>>, T>;

[[noreturn]] COPPICE_EXPORT void throw_stopped(const cancel_reason& reason);

// What a body gives as it is: throws its failure or, if it was to give a value and was stopped by its scope alone,
// task_cancelled.
template <class T>
T take_result(scope_run& run, result_slot<T>& body) {
  if (body.failed()) {
    std::rethrow_exception(run.take_failure());
  }
  if constexpr (!std::is_void_v<T>) {
    if (run.absorbed()) {
      throw_stopped(run.core().reason());
    }
  }
  return body.take_value();
}

class scope_policy {
 public:
  template <class T>
  using result = scope_result<std::conditional_t<std::is_void_v<T>, void, stored<T>>>;

  explicit scope_policy(const scope_options& options) noexcept : options_(options) {}

  core_ref make(worker_core& here) const { return open_strand_scope(options_, here); }
  open_scope& face(scope_core& core) noexcept { return face_.make(core); }
  static void body_failed(scope_core&, const std::exception_ptr&) noexcept {}
  static bool failed(scope_core&, const failure_slot& body) noexcept { return body.failed(); }

  template <class T>
  result<T> finish(scope_run& end, result_slot<T>& body) const {
    if (body.failed()) {
      std::rethrow_exception(end.take_failure());
    }
    result<T> given;
    if (end.absorbed()) {
      given.cancelled_caught = true;
      given.expired = end.core().expired();
      given.reason = end.core().reason();
    } else if constexpr (!std::is_void_v<T>) {
      given.value.emplace(body.take_value());
    }
    return given;
  }

 private:
  scope_options options_;
  late_face<open_scope> face_;
};

}  // namespace detail

// Runs body(cancel_scope&) or body() in a new scope. Opening and leaving it are no cancellation points. The body's
// failure passes through; a cancel from above passes through; the scope's own is absorbed and shown in the result.
// Throws std::bad_alloc before the body begins.
template <class Body>
detail::guarded<
    detail::scope_operation<detail::body_value_t<Body, cancel_scope&>, detail::scope_policy, Body>,
    Body>
with_scope(scope_options options, Body&& body) {
  return {detail::scope_policy(options), std::forward<Body>(body)};
}

template <class Body>
detail::guarded<
    detail::scope_operation<detail::body_value_t<Body, cancel_scope&>, detail::scope_policy, Body>,
    Body>
with_scope(Body&& body, source_site site = source_site::current()) {
  return {detail::scope_policy({.site = site}), std::forward<Body>(body)};
}

// The innermost scope of the current task; in one that stands directly under its runtime a handle of the root, which
// spawns there, and whose cancel asks every task of the runtime to stop. usage_error outside a task.
COPPICE_EXPORT scope_handle current_scope();

namespace this_task {

// Names of the scopes that the running code stands in, innermost first; valid while they are open. usage_error outside
// a task.
COPPICE_EXPORT std::vector<std::string_view> scopes();

}  // namespace this_task

}  // namespace coppice::inline v0
