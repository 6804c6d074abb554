// Sleeping, deadlines, and giving way.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/export.h>
#include <coppice/scope.h>
#include <coppice/sleep.h>

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

// The nearest that binds the current task, through no shield; empty if there is none. usage_error outside a task.
COPPICE_EXPORT std::optional<time_point> current_deadline();

namespace detail {

template <class T>
struct maybe {
  using type = std::optional<stored<T>>;
};
template <>
struct maybe<void> {
  using type = bool;
};

[[noreturn]] COPPICE_EXPORT void throw_timed_out(duration limit);

// How long, or until when: settled when it is awaited.
class time_limit {
 public:
  explicit time_limit(duration limit) noexcept : limit_(limit) {}
  explicit time_limit(time_point due) noexcept : due_(due), limit_(duration::zero()) {}

  // From the opening.
  COPPICE_EXPORT core_ref open(worker_core& here);

  duration limit() const noexcept { return limit_; }

 private:
  std::optional<time_point> due_;
  duration limit_;
};

class limited_policy {
 public:
  explicit limited_policy(time_limit limit) noexcept : limit_(limit) {}

  core_ref make(worker_core& here) { return limit_.open(here); }
  open_scope& face(scope_core& core) noexcept { return face_.make(core); }
  static void body_failed(scope_core&, const std::exception_ptr&) noexcept {}
  static bool failed(scope_core&, const failure_slot& body) noexcept { return body.failed(); }

 protected:
  time_limit limit_;

 private:
  late_face<open_scope> face_;
};

class timeout_policy : public limited_policy {
 public:
  template <class T>
  using result = T;

  using limited_policy::limited_policy;

  template <class T>
  T finish(scope_run& end, result_slot<T>& body) const {
    if (!body.failed() && end.absorbed() && end.core().expired()) {
      throw_timed_out(limit_.limit());
    }
    return take_result(end, body);
  }
};

class move_on_policy : public limited_policy {
 public:
  template <class T>
  using result = typename maybe<T>::type;

  using limited_policy::limited_policy;

  template <class T>
  static result<T> finish(scope_run& end, result_slot<T>& body) {
    if (body.failed()) {
      std::rethrow_exception(end.take_failure());
    }
    if constexpr (std::is_void_v<T>) {
      return !end.absorbed();
    } else {
      return end.absorbed() ? std::nullopt : result<T>(body.take_value());
    }
  }
};

template <class Body, class Policy>
using limited = guarded<scope_operation<body_value_t<Body, cancel_scope&>, Policy, Body>, Body>;

}  // namespace detail

// Body: an awaitable, or a callable body() or body(cancel_scope&) giving a task<T>. If d passes first, the body is
// stopped and awaited, then timeout_error is thrown; a failure of the body wins over it, a value that was ready is
// delivered. Stopped by its scope's own cancel: a void body returns, another throws task_cancelled.
template <class Body>
detail::limited<Body, detail::timeout_policy> with_timeout(duration d, Body&& body) {
  return {detail::timeout_policy(detail::time_limit(d)), std::forward<Body>(body)};
}

template <class Body>
detail::limited<Body, detail::timeout_policy> with_deadline(time_point when, Body&& body) {
  return {detail::timeout_policy(detail::time_limit(when)), std::forward<Body>(body)};
}

// The same without a throw: std::optional<T>, empty if it expired; for void: true if the body finished.
template <class Body>
detail::limited<Body, detail::move_on_policy> move_on_after(duration d, Body&& body) {
  return {detail::move_on_policy(detail::time_limit(d)), std::forward<Body>(body)};
}

template <class Body>
detail::limited<Body, detail::move_on_policy> move_on_at(time_point when, Body&& body) {
  return {detail::move_on_policy(detail::time_limit(when)), std::forward<Body>(body)};
}

}  // namespace coppice::inline v0
