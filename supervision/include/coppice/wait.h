// Waiting for handles, and ending them.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/body.h>
#include <coppice/detail/export.h>
#include <coppice/detail/joining.h>
#include <coppice/shield.h>
#include <coppice/task.h>

#include <concepts>
#include <cstddef>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

enum class when { all_completed, first_completed, first_failed };

template <class R>
concept handle_range =
    std::ranges::input_range<R> && std::derived_from<std::ranges::range_value_t<R>, task_ref>;

template <class Handle>
struct wait_result {
  std::vector<Handle> done;  // In the order of the range, both.
  std::vector<Handle> pending;
};

namespace detail {

template <handle_range R>
std::vector<std::ranges::range_value_t<R>> handles_of(R&& range) {
  std::vector<std::ranges::range_value_t<R>> handles;
  for (auto&& each : range) {
    handles.push_back(each);
  }
  return handles;
}

template <class Handle>
std::vector<task_ref> refs_of(const std::vector<Handle>& handles) {
  return std::vector<task_ref>(handles.begin(), handles.end());
}

// Until the condition holds or the time is up.
COPPICE_EXPORT task<> wait_until(std::vector<task_ref> tasks, when until, duration timeout);

// Throws the failure or the timeout that ended it, when all have ended.
COPPICE_EXPORT task<> wait_or_cancel(std::vector<task_ref> tasks, duration timeout);

// Cancels them and waits until all have ended; then stops, if the caller is to.
COPPICE_EXPORT task<> cancel_and_await(std::vector<task_ref> tasks, cancel_reason reason);

// The task has ended, or has been cancelled and has ended: then the caller stops.
COPPICE_EXPORT task<> follow(task_ref of);

template <class Handle>
task<wait_result<Handle>> wait_for_handles(std::vector<Handle> handles, when until,
                                           duration timeout) {
  co_await wait_until(refs_of(handles), until, timeout);
  wait_result<Handle> result;
  for (Handle& each : handles) {
    (each.done() ? result.done : result.pending).push_back(std::move(each));
  }
  co_return result;
}

template <class Handle>
task<std::vector<Handle>> wait_for_all_or_none(std::vector<Handle> handles, duration timeout) {
  co_await wait_or_cancel(refs_of(handles), timeout);
  co_return handles;
}

template <class T>
task<T> follow_handle(task_handle<T> handle) {
  co_await follow(handle);
  co_return co_await std::move(handle);
}

}  // namespace detail

// Waits until `until` holds or the timeout has passed. Cancels nothing, throws nothing of theirs, not even the timeout;
// an empty range returns at once. Cancelled, the caller stops and the tasks go on.
template <handle_range R>
task<wait_result<std::ranges::range_value_t<R>>> wait(R&& handles, when until = when::all_completed,
                                                      duration timeout = forever) {
  return detail::wait_for_handles(detail::handles_of(handles), until, timeout);
}

// Waits for all; gives them. The first failure or the timeout cancels and awaits the rest, then throws: the failure
// naked (it wins over the timeout), task_cancelled, or timeout_error. Later failures are its suppressed ones. Cancelled:
// as cancel_all.
template <handle_range R>
task<std::vector<std::ranges::range_value_t<R>>> wait_or_abort(R&& handles,
                                                               duration timeout = forever) {
  return detail::wait_for_all_or_none(detail::handles_of(handles), timeout);
}

// Cancel and wait until ended and the frames are gone. Keeps waiting if the caller is cancelled; then the caller stops.
// Throws nothing of theirs; of done tasks a no-op. usage_error if one is the task that calls it, or stands above it; one
// that waits for the caller in another way is waited for for ever.
inline task<> cancel_and_wait(task_ref of, cancel_reason reason = {}) {
  return detail::cancel_and_await({std::move(of)}, std::move(reason));
}

template <handle_range R>
task<> cancel_all(R&& handles, cancel_reason reason = {}) {
  return detail::cancel_and_await(detail::refs_of(detail::handles_of(handles)), std::move(reason));
}

// Awaits the task as co_await h does, and takes it along: cancelling the caller cancels and awaits the task.
template <class T>
task<T> follow_through(task_handle<T> handle) {
  return detail::follow_handle(std::move(handle));
}

}  // namespace coppice::inline v0
