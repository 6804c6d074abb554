// The handle of a spawned task, and what the running one can say of itself.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/wait.h>
#include <coppice/outcome.h>

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

namespace detail {
struct handle_access;
}

// A counted reference to a spawned task of any type; droppable, copyable, usable from any thread. Dropping
// the last one neither cancels the task nor loses its failure. An empty one: every member but operator bool
// is a usage_error.
class COPPICE_EXPORT task_ref {
 public:
  task_ref() noexcept = default;

  explicit operator bool() const noexcept { return cell_.get() != nullptr; }

  task_id id() const;
  std::string_view name() const;  // Valid while a handle lives.
  source_site site() const;       // Where it was spawned.
  task_status status() const;

  // Completed, failed or cancelled, and the outcome is visible to this thread.
  bool done() const;

  // Asks the task and all below it to stop. Never blocks or allocates, runs no user code; no effect once done.
  void cancel(const cancel_reason& reason = {}) const;

  // Sees that request. Allocates on first use; throws std::bad_alloc.
  cancel_token token() const;

  // fn() runs once, on a worker, after the outcome is visible and before the parent scope's exit; at once
  // posted if already done, and a usage_error if the runtime has ended. What it throws is reported (origin
  // handler).
  void on_done(std::function<void()> fn) const;

  friend bool operator==(const task_ref& a, const task_ref& b) noexcept {
    return a.cell_.get() == b.cell_.get();
  }

 protected:
  friend struct detail::handle_access;

  explicit task_ref(detail::cell_ref cell) noexcept : cell_(std::move(cell)) {}

  // usage_error if empty.
  detail::outcome_cell& cell(const char* call) const;

 private:
  detail::cell_ref cell_;
};

namespace detail {

struct handle_access {
  static outcome_cell& cell(const task_ref& from, const char* call) { return from.cell(call); }
  static task_ref make(cell_ref cell) noexcept { return task_ref(std::move(cell)); }
};

// Waits for the end of a task.
class COPPICE_EXPORT end_source {
 public:
  using value_type = void;
  static constexpr const char* name = "task";

  // `takes`: the failure of a task of the runtime, if it is one, is the waiter's, and not reported.
  explicit end_source(task_ref of, bool takes = true) noexcept : of_(std::move(of)) {
    waiter_.takes = takes;
  }
  end_source(end_source&& other) noexcept : of_(std::move(other.of_)) {
    waiter_.takes = other.waiter_.takes;
  }

  bool ready() const { return handle_access::cell(of_, "co_await").done(); }
  void arm(const ticket& wait, worker_core& here);
  void disarm() noexcept;
  void result() const noexcept {}

  // A task that was cancelled has nothing to give: whoever the same request reaches stops.
  bool gives_way() const { return handle_access::cell(of_, "co_await").was_cancelled(); }

 protected:
  task_ref of_;
  end_waiter waiter_;
};

[[noreturn]] COPPICE_EXPORT void throw_task_cancelled(const outcome_cell& cell,
                                                      const cancel_reason& reason);
[[noreturn]] COPPICE_EXPORT void throw_value_taken(const outcome_cell& cell);

template <class T, bool Move>
class [[nodiscard]] handle_await : public own_awaitable {
 public:
  using value_type = std::conditional_t<Move, T, const_ref<T>>;

  explicit handle_await(task_ref of) : of_(of), wait_(end_source(std::move(of))) {}

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    return wait_.await_suspend(awaiting);
  }

  value_type await_resume() {
    wait_.await_resume();
    auto& cell = static_cast<typed_cell<T>&>(handle_access::cell(of_, "co_await"));
    coppice::outcome<T>& end = cell.outcome();
    if (end.cancelled()) {
      throw_task_cancelled(cell, end.reason());
    }
    if constexpr (Move && !std::is_void_v<T>) {
      if (end.completed() && !cell.take_value()) {
        throw_value_taken(cell);
      }
      return std::move(end).get();
    } else {
      return std::as_const(end).get();
    }
  }

 private:
  task_ref of_;
  wait_operation<end_source> wait_;
};

}  // namespace detail

// The handle of a spawned task<T>. co_await h: const T& (any number of awaiters), valid while a handle lives;
// co_await std::move(h): T, moved out, once. Either throws the task's failure, or task_cancelled if it was
// cancelled. Cancelling the awaiter stops the awaiter only.
template <class T = void>
class task_handle : public task_ref, public detail::own_awaitable {
 public:
  using value_type = T;

  task_handle() noexcept = default;
  explicit task_handle(detail::cell_ref cell) noexcept : task_ref(std::move(cell)) {}

  // usage_error unless done().
  const coppice::outcome<T>& result() const& { return finished().outcome(); }
  coppice::outcome<T> result() && { return std::move(finished().outcome()); }

  auto operator co_await() const& { return detail::handle_await<T, false>(checked()); }
  auto operator co_await() && { return detail::handle_await<T, true>(checked()); }

 private:
  const task_ref& checked() const {
    cell("co_await");
    return *this;
  }

  detail::typed_cell<T>& finished() const {
    require_done();
    return static_cast<detail::typed_cell<T>&>(cell("result()"));
  }

  void require_done() const {
    if (!cell("result()").done()) {
      throw usage_error(
          "result() of a task that has not ended: co_await its handle, or ask done() first");
    }
  }
};

// The running task. Outside a task each throws usage_error, except id(), which is none. No await, no
// cancellation point.
namespace this_task {

COPPICE_EXPORT task_id id() noexcept;
COPPICE_EXPORT std::string_view name();
COPPICE_EXPORT task_ref ref();
// The task that hosts the scope it was spawned into; none at the root.
COPPICE_EXPORT task_id parent();
COPPICE_EXPORT cancel_token token();  // Sees the innermost scope and all above it, up to a shield.
COPPICE_EXPORT void rename(std::string_view name);

}  // namespace this_task

}  // namespace coppice::inline v0
