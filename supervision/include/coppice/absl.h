// Abseil in tasks: its times wherever ours are taken to sleep or to set a limit, and failures as absl::Status.
//
//   absl::StatusOr<Quote> quote = co_await coppice::as_status(coppice::with_timeout(absl::Seconds(1), fetch("AAPL")));
//
// The component `absl` of the package; nothing else that coppice shows includes Abseil.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/absl_status.h>
#include <coppice/outcome.h>
#include <coppice/shield.h>
#include <coppice/sleep.h>
#include <coppice/task.h>
#include <coppice/time.h>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <exception>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

// ---- Times --------------------------------------------------------------------------------------

// In whole nanoseconds: a part of one counts as one, so that nothing ends too early. What does not fit is the nearest that
// does: absl::InfiniteDuration() is `forever`.
inline duration to_duration(absl::Duration d) noexcept {
  const absl::Duration whole = absl::Ceil(d, absl::Nanoseconds(1));
  return duration(absl::ToInt64Nanoseconds(whole));
}

// As far from now on the clock of the library, which is a test_runtime's own in one, as `when` is by the system's; what
// is done to the system's clock afterwards does not move it. What is past is now; absl::InfiniteFuture() is never.
inline time_point to_time_point(absl::Time when) {
  return detail::time_in(to_duration(when - absl::Now()));
}

inline detail::sleep_operation sleep_for(absl::Duration d) noexcept {
  return sleep_for(to_duration(d));
}
inline detail::sleep_operation sleep_until(absl::Time when) {
  return sleep_until(to_time_point(when));
}

template <class Body>
auto with_timeout(absl::Duration d, Body&& body) {
  return with_timeout(to_duration(d), std::forward<Body>(body));
}
template <class Body>
auto with_deadline(absl::Time when, Body&& body) {
  return with_deadline(to_time_point(when), std::forward<Body>(body));
}
template <class Body>
auto move_on_after(absl::Duration d, Body&& body) {
  return move_on_after(to_duration(d), std::forward<Body>(body));
}
template <class Body>
auto move_on_at(absl::Time when, Body&& body) {
  return move_on_at(to_time_point(when), std::forward<Body>(body));
}

// ---- Failures -----------------------------------------------------------------------------------

// status_error is what or_throw() throws, a status on its way through code that throws; as_status() gives it back as it was.

// OK for a null pointer and for an empty entry. By what was thrown:
//
//     status_error                          its status
//     timeout_error                         DEADLINE_EXCEEDED
//     task_cancelled, operation_cancelled   as its reason, below
//     resource_exhausted, std::bad_alloc    RESOURCE_EXHAUSTED
//     scope_closed                          UNAVAILABLE
//     std::invalid_argument, domain_error,
//         length_error                      INVALID_ARGUMENT
//     std::out_of_range, overflow_error,
//         underflow_error, range_error      OUT_OF_RANGE
//     std::logic_error, usage_error too     INTERNAL
//     std::system_error of an errno         as absl::ErrnoToStatus
//     start_error, restart_limit_exceeded   as its cause
//     exception_group                       what its leaves have in common, else UNKNOWN; the message names the first ten
//     anything else                         UNKNOWN
//
// The message is what(), or the name of the type.
inline absl::Status to_status(const error_entry& failure) {
  if (failure.error() == nullptr) {
    return absl::OkStatus();
  }
  if (const auto* const thrown = failure.get_if<status_error>()) {
    return thrown->status();
  }
  return detail::status_with(detail::status_code(failure), detail::status_message(failure));
}
inline absl::Status to_status(const std::exception_ptr& failure) {
  return to_status(error_entry(failure));
}

// DEADLINE_EXCEEDED for a deadline, else CANCELLED; the message is the reason.
inline absl::Status to_status(const cancel_reason& reason) {
  return detail::status_with(detail::status_code(reason), detail::reason_text(reason));
}

// As as_result, which see for what it observes, in Abseil's terms: gives absl::StatusOr of the value, absl::Status if there
// is none or if the value is one; a value that is a StatusOr is given as it is.
template <awaitable A>
task<detail::status_of<awaited_t<A>>> as_status(A awaited) {
  auto end = co_await as_result(std::move(awaited));
  if (end.failed()) {
    co_return to_status(end.entry());
  }
  if (end.cancelled()) {
    co_return to_status(end.reason());
  }
  if constexpr (std::is_void_v<awaited_t<A>>) {
    co_return absl::OkStatus();
  } else {
    co_return std::move(end).get();
  }
}

// The other way round: of something that gives an absl::StatusOr or absl::Status. Gives the value, and throws status_error
// if there is none: so the failure is one for the scope that awaits it.
template <awaitable A>
  requires detail::gives_status<awaited_t<A>>
task<detail::value_behind<awaited_t<A>>> or_throw(A awaited) {
  auto given = co_await std::move(awaited);
  if (!given.ok()) {
    if constexpr (std::is_void_v<detail::value_behind<awaited_t<A>>>) {
      throw status_error(std::move(given));
    } else {
      throw status_error(std::move(given).status());
    }
  }
  if constexpr (!std::is_void_v<detail::value_behind<awaited_t<A>>>) {
    co_return *std::move(given);
  }
}

}  // namespace coppice::inline v0
