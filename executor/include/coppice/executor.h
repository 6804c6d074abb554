// An executor: worker threads that run tasks, the tasks spawned on it, and a way in for plain threads.
//
// runtime stands on it and is what programs use; an executor alone keeps its tasks in a plain list.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/cancel_observer.h>
#include <coppice/detail/executor_state.h>
#include <coppice/detail/export.h>
#include <coppice/options.h>
#include <coppice/report.h>
#include <coppice/sleep.h>
#include <coppice/spawn.h>
#include <coppice/task.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

namespace detail {

class schedule_operation;

}  // namespace detail

// spawned = completed + failed + cancelled + those that live.
struct task_counts {
  std::uint64_t spawned = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
};

// Owns its workers. All members may be called from any thread unless said otherwise. spawn: the task is
// retained until it has ended; a failure that no suspended awaiter takes is reported at once, to the error
// handler.
class COPPICE_EXPORT executor : public spawner<executor> {
 public:
  // Starts the workers: those that the system grants, which a line on stderr then says, but at least one.
  // Throws usage_error for an option out of range, std::system_error if no thread can be started,
  // std::bad_alloc.
  explicit executor(const options& from = {});
  executor(const options& from, const detail::test_setup* setup);  // For tests, unless null.
  executor(const executor&) = delete;
  executor& operator=(const executor&) = delete;

  // Refuses new tasks, cancels those there are, waits until all have ended, joins the workers. From one of
  // its own workers: terminates with a sentence.
  ~executor();

  // Runs the task on the workers while the caller parks; gives T, throws its failure, or task_cancelled. The
  // caller never runs tasks. From a worker, of any executor: usage_error, rather than hang.
  template <class T>
  T block_on(task<T> main) {
    return block_on(spawn_options{.name = "main"}, std::move(main));
  }

  template <class F, class... Args>
    requires spawnable<F, Args...>
  spawned_t<F, Args...> block_on(F&& main, Args&&... args) {
    return block_on(spawn_options{.name = "main"}, std::forward<F>(main),
                    std::forward<Args>(args)...);
  }

  // The same of a task with these options; without a name it is "main". With a timeout: when it has passed the
  // task is cancelled (kind deadline), and the call throws timeout_error once it has ended.
  template <class T>
  T block_on(spawn_options options, task<T> main) {
    if (!main) {
      throw usage_error(
          "block_on of an empty task: it was default-constructed, moved from, or awaited before");
    }
    return wait_for(detail::start(main_keeper(), named(options), std::move(main)));
  }

  template <class F, class... Args>
    requires spawnable<F, Args...>
  spawned_t<F, Args...> block_on(spawn_options options, F&& main, Args&&... args) {
    return wait_for(detail::start_call(main_keeper(), named(options), std::forward<F>(main),
                                       std::forward<Args>(args)...));
  }

  // The calling coroutine, of any type, goes on on a worker: a task of this executor gives way, as by
  // yield(); another library's coroutine comes here. A task of another executor: usage_error.
  detail::schedule_operation schedule() noexcept;

  // Every task that has been spawned and has not ended, in order of their ids.
  std::vector<task_ref> live_tasks() const;
  std::size_t live_task_count() const noexcept;

  // New tasks are refused from now on: spawn throws scope_closed.
  void close() noexcept;

  // Asks every live task to stop.
  void cancel_all(const cancel_reason& reason) noexcept;

  // The same, and also every task that is spawned until cancel_no_more().
  void cancel_from_now(const cancel_reason& reason) noexcept;
  void cancel_no_more() noexcept;

  // How many tasks have been spawned, and how those that have ended did.
  task_counts counts() const noexcept;

  // Waits until no task lives, or the time is up: then false. Not from a worker.
  bool wait_until_idle(duration limit = forever) const;

  // What hears of failures that nobody took. Returns the previous one; empty restores the default, one block
  // on stderr.
  error_handler set_error_handler(error_handler handler);

  unsigned workers() const noexcept;

  // What decides the order of things, of one that repeats itself; else none.
  std::optional<std::uint64_t> seed() const noexcept;

  // Every field is set.
  const options& effective_options() const noexcept;

  // Of the timers' clock.
  time_point time_now() const noexcept;

  // Is the caller on one of its workers?
  bool on_own_worker() const noexcept;

  // Is this the child of a fork(), where there are no workers?
  bool forked() const noexcept;

  // Runs a job on a worker; it must live until then. Async-signal-safe; never allocates, never fails.
  void post(detail::job& ready) noexcept;

  // The library's own: the node under which all tasks stand, and the scope that it is to users.
  detail::cancel_node& root() const noexcept;
  void set_root_scope(detail::scope_core* scope) noexcept;
  detail::task_keeper& root_keeper() const noexcept;
  detail::executor_ref ref() const noexcept;

  // The library's own: it is told from now on, and outlives the executor.
  void observe_cancels(detail::cancel_observer& observer) noexcept;

  // The library's own.
  detail::executor_state& state() const noexcept { return *state_; }

 private:
  friend struct detail::spawn_access;

  detail::task_keeper& task_keeper_of() const;

  // Of what block_on starts: its failure is the caller's. usage_error on a worker.
  detail::task_keeper& main_keeper() const;

  template <class T>
  T wait_for(task_handle<T> main) {
    wait_for_end(main);
    return std::move(main).result().get();
  }

  static spawn_options named(spawn_options options) noexcept {
    if (options.name.empty()) {
      options.name = "main";
    }
    return options;
  }

  void wait_for_end(const task_ref& main) const;

  std::unique_ptr<detail::executor_state, detail::executor_state_deleter> state_;
};

namespace detail {

// The executor of the running task. usage_error outside a task, naming the call.
COPPICE_EXPORT executor& current_executor(const char* call);

// That whose worker it is.
COPPICE_EXPORT executor& executor_of(const worker_core& here) noexcept;

class COPPICE_EXPORT schedule_operation : public own_awaitable, job {
 public:
  using value_type = void;

  explicit schedule_operation(executor_state& to) noexcept : to_(to) {}

  bool await_ready() const noexcept { return false; }

  template <class Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    if constexpr (std::derived_from<Promise, promise_base>) {
      require_same();
      return current_worker->yield(awaiting.promise());
    } else {
      return post(awaiting);
    }
  }

  void await_resume() const noexcept {}

 private:
  void require_same() const;
  std::coroutine_handle<> post(std::coroutine_handle<> foreign) noexcept;

  executor_state& to_;
  std::coroutine_handle<> foreign_;
};

}  // namespace detail

inline detail::schedule_operation executor::schedule() noexcept {
  return detail::schedule_operation(*state_);
}

}  // namespace coppice::inline v0
