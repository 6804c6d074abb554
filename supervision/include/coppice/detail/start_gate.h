// A child that says when it is ready, and the task that waits for that.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/signal.h>
#include <coppice/error.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/task.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

namespace detail {

// What both sides share.
class COPPICE_EXPORT start_state {
 public:
  // True for the first. usage_error for a second call.
  void require_first();

  bool has_started() const noexcept;
  void failed(error_entry why) noexcept;

  // Throws the failure, or start_error, or task_cancelled.
  [[noreturn]] void throw_not_started(const outcome_cell& child) const;

  signal over;  // It has started, or ended without.

 private:
  mutable std::mutex mutex_;
  bool started_ = false;  // Under the lock, and all here.
  error_entry failure_;
};

template <class V>
class typed_start_state : public start_state {
 public:
  std::optional<V> value;  // Whoever calls started(), before `over`.
};

template <>
class typed_start_state<void> : public start_state {};

// Waits until the task has ended and its frame is gone; neither throws what is its, nor stops.
COPPICE_EXPORT task<> await_end(task_ref of);

}  // namespace detail

// Given to a child that is awaited until it is ready. started() is called once, in the child or below it.
template <class V>
class basic_start_gate {
 public:
  explicit basic_start_gate(detail::typed_start_state<V>& state) noexcept : state_(state) {}
  basic_start_gate(const basic_start_gate&) = delete;
  basic_start_gate& operator=(const basic_start_gate&) = delete;

  // A second call: usage_error.
  void started(V value) {
    state_.require_first();
    state_.value.emplace(std::move(value));
    state_.over.set();
  }

 private:
  detail::typed_start_state<V>& state_;
};

template <>
class basic_start_gate<void> {
 public:
  explicit basic_start_gate(detail::typed_start_state<void>& state) noexcept : state_(state) {}
  basic_start_gate(const basic_start_gate&) = delete;
  basic_start_gate& operator=(const basic_start_gate&) = delete;

  void started() {
    state_.require_first();
    state_.over.set();
  }

 private:
  detail::typed_start_state<void>& state_;
};

using start_gate = basic_start_gate<void>;

namespace detail {

// An argument of the child's, which goes with it, also if there was no memory for its frame: nobody waits any more for it to
// start.
template <class V>
class start_teller {
 public:
  explicit start_teller(std::shared_ptr<typed_start_state<V>> state) noexcept
      : state_(std::move(state)) {}
  start_teller(start_teller&&) noexcept = default;
  start_teller& operator=(start_teller&&) = delete;
  ~start_teller() {
    if (state_ != nullptr) {
      state_->over.set();
    }
  }

  typed_start_state<V>& state() const noexcept { return *state_; }

 private:
  std::shared_ptr<typed_start_state<V>> state_;
};

// The child: a failure before it is ready is the starter's, and none of the group's.
template <class V, class F, class... Args>
task<> run_started(start_teller<V> telling, F function, Args... arguments) {
  basic_start_gate<V> gate(telling.state());
  auto body = std::invoke(std::move(function), gate, std::move(arguments)...);
  const auto end = co_await as_result(std::move(body));
  if (end.cancelled()) {
    co_await stop();
  }
  if (end.failed()) {
    if (telling.state().has_started()) {
      std::rethrow_exception(end.error());
    }
    telling.state().failed(end.entry());
  }
}

template <class V, class F, class... Args>
task<V> start_and_wait(task_keeper& keeper, spawn_options options, F function, Args... arguments) {
  co_await stop_point();
  const auto state = std::make_shared<typed_start_state<V>>();
  const task_handle<> child =
      detail::start_call(keeper, options, &run_started<V, F, Args...>, start_teller<V>(state),
                         std::move(function), std::move(arguments)...);
  auto ready = state->over.wait("a child to start");
  const auto waited = co_await as_result(std::move(ready));
  if (waited.cancelled()) {
    child.cancel(cancel_reason(cancel_kind::parent_cancelled));
    auto end = await_end(child);
    co_await shield(std::move(end));
    co_await stop();
  }
  if (!state->has_started()) {
    auto end = await_end(child);
    co_await std::move(end);
    if (child.status() == task_status::cancelled) {
      co_await stop_point(asks::behind_a_stop);
    }
    state->throw_not_started(handle_access::cell(child, "start()"));
  }
  if constexpr (!std::is_void_v<V>) {
    co_return std::move(*state->value);
  }
}

}  // namespace detail
}  // namespace coppice::inline v0
