// std::future in and out: what other code has begun, awaited by a task; and a task that other code waits for.
#pragma once

#include <coppice/blocking.h>
#include <coppice/cancel.h>
#include <coppice/error.h>
#include <coppice/outcome.h>
#include <coppice/site.h>
#include <coppice/sleep.h>
#include <coppice/task.h>
#include <coppice/task_handle.h>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

namespace detail {

// A future cannot be told to wake anybody; so soon is a thread free that waits for it in vain.
inline constexpr auto future_patience = std::chrono::milliseconds(20);

// Waits, as a call that blocks, and gives the future back when it is ready; or one without a state, if the task is asked
// to stop before that.
template <class Future>
class future_call {
 public:
  explicit future_call(Future&& of) noexcept : of_(std::move(of)) {}

  Future operator()(const cancel_token& token) {
    for (;;) {
      switch (of_.wait_for(future_patience)) {
        case std::future_status::deferred:
          of_.wait();
          return std::move(of_);
        case std::future_status::ready:
          return std::move(of_);
        case std::future_status::timeout:
          if (token.stop_requested()) {
            return Future();
          }
      }
    }
  }

 private:
  Future of_;
};

template <class T, class Future>
task<T> await_future(Future future, source_site site) {
  if (!future.valid()) {
    throw usage_error(
        "from_future of a future without a state: it was default-constructed, moved from, or read "
        "before");
  }
  future_call<Future> call(std::move(future));
  const blocking_options options{
      .name = "std::future", .on_cancel = blocking_cancel::detach, .site = site};
  Future ready = co_await spawn_blocking(options, moved(call));
  while (!ready.valid()) {
    co_await checkpoint();  // Where the task stops, for it has been asked to.
  }
  co_return ready.get();
}

template <class T>
void keep_promise(std::promise<T>& promised, const task_handle<T>& ended) {
  const outcome<T>& end = ended.result();
  if (end.failed()) {
    promised.set_exception(end.entry().error());
  } else if (end.cancelled()) {
    promised.set_exception(std::make_exception_ptr(task_cancelled(end.reason(), ended.id())));
  } else if constexpr (std::is_void_v<T>) {
    promised.set_value();
  } else {
    try {
      promised.set_value(end.get());
    } catch (...) {
      promised.set_exception(std::current_exception());
    }
  }
}

}  // namespace detail

// Awaits the future on a thread for blocking calls (<coppice/blocking.h>), and gives what it gives, or throws. A
// deferred one runs there. When the task is stopped it stops at once and the future is dropped, within a moment.
// usage_error if it has no state.
template <class T>
task<T> from_future(std::future<T> future, source_site site = source_site::current()) {
  return detail::await_future<T>(std::move(future), site);
}

// The same; the value is copied.
template <class T>
task<T> from_future(std::shared_future<T> future, source_site site = source_site::current()) {
  return detail::await_future<T>(std::move(future), site);
}

// A future of what the task gives: its value, copied, or its failure, or task_cancelled. For plain threads: a task that
// waited for it would hold its worker. Who drops it loses nothing, since a failure is treated as if there were none.
template <class T>
  requires(std::is_void_v<T> || std::is_copy_constructible_v<T>)
std::future<T> to_future(task_handle<T> of) {
  const auto promised = std::make_shared<std::promise<T>>();
  std::future<T> future = promised->get_future();
  of.on_done([promised, of] { detail::keep_promise(*promised, of); });
  return future;
}

}  // namespace coppice::inline v0
