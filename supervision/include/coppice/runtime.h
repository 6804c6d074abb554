// The object that owns the workers, and the one-line way to have one.
#pragma once

#include <coppice/dump.h>
#include <coppice/executor.h>
#include <coppice/options.h>
#include <coppice/report.h>
#include <coppice/shutdown.h>
#include <coppice/signals.h>
#include <coppice/spawn.h>
#include <coppice/task.h>
#include <coppice/version.h>

#include <concepts>
#include <exception>
#include <iosfwd>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

namespace detail {
class runtime_state;
struct COPPICE_EXPORT runtime_state_deleter {
  void operator()(runtime_state* state) const noexcept;
};
}  // namespace detail

// Owns workers, timers and the tasks spawned on it. All members may be called from any thread unless said
// otherwise. spawn: the task is retained; a failure that no suspended awaiter takes is reported at once.
class COPPICE_EXPORT runtime : public spawner<runtime> {
 public:
  // Starts the workers. usage_error for a bad option, std::system_error if no thread can be started.
  explicit runtime(const options& from = {}) : runtime(from, nullptr) {}

  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  // shutdown(), then joins the workers; from one of its own workers: terminates with a sentence.
  ~runtime();

  // Runs the task on the workers while the caller parks; gives T, throws its failure, or task_cancelled. The
  // caller never runs tasks. When the last concurrent block_on returns, the spawned tasks have been shut
  // down, their failures reported; the runtime can be used again. From a worker (of any runtime): usage_error.
  template <class T>
  T block_on(task<T> main) {
    const main_call call(*this);
    return beneath().block_on(std::move(main));
  }

  template <class F, class... Args>
    requires spawnable<F, Args...>
  spawned_t<F, Args...> block_on(F&& main, Args&&... args) {
    const main_call call(*this);
    return beneath().block_on(std::forward<F>(main), std::forward<Args>(args)...);
  }

  // The same of a task with these options; without a name it is "main". With a timeout: when it has passed the
  // task is cancelled (kind deadline), and the call throws timeout_error once it has ended.
  //   rt.block_on({.timeout = 5s}, main);
  template <class T>
  T block_on(spawn_options options, task<T> main) {
    const main_call call(*this);
    return beneath().block_on(options, std::move(main));
  }

  template <class F, class... Args>
    requires spawnable<F, Args...>
  spawned_t<F, Args...> block_on(spawn_options options, F&& main, Args&&... args) {
    const main_call call(*this);
    return beneath().block_on(options, std::forward<F>(main), std::forward<Args>(args)...);
  }

  std::vector<task_info> all_tasks() const;
  void dump_tasks(std::ostream& out, dump_format format = dump_format::text) const;

  // What hears of failures that nobody took. Returns the previous one; empty restores the default.
  error_handler set_error_handler(error_handler handler);

  // Refuses new tasks, drains, cancels, waits, also for calls of spawn_blocking that were left; then spawn throws
  // scope_closed. Blocks the caller: from a worker a usage_error. Idempotent; concurrent calls return together.
  shutdown_report shutdown(const shutdown_options& options = {});

  // Starts the same, without a drain, and returns. Async-signal-safe.
  void request_shutdown() noexcept;

  unsigned workers() const noexcept;

  // Every field is set.
  const coppice::options& effective_options() const noexcept;

 protected:
  runtime(const options& from, const detail::test_setup* setup)
      : runtime(from, setup, COPPICE_VERSION_MAJOR, COPPICE_VERSION_MINOR, COPPICE_VERSION_PATCH) {}

  // What the runtime stands on.
  executor& beneath() const noexcept;

 private:
  friend struct detail::spawn_access;
  friend class runtime_scheduler;  // Of <coppice/senders.h>.

  runtime(const options& from, const detail::test_setup* setup, int major, int minor, int patch);

  // One call of block_on; the last to end shuts the spawned tasks down.
  class COPPICE_EXPORT main_call {
   public:
    explicit main_call(const runtime& on);
    main_call(const main_call&) = delete;
    main_call& operator=(const main_call&) = delete;
    ~main_call();

   private:
    detail::runtime_state& state_;
    const bool
        counted_;  // Not where the executor refuses: on a worker, and in the child of a fork().
  };

  detail::task_keeper& task_keeper_of() const;

  std::unique_ptr<detail::runtime_state, detail::runtime_state_deleter> state_;
};

namespace detail {

// Prints what left main, and says with what status the process should exit. In a catch block.
COPPICE_EXPORT int exit_status_of_failure() noexcept;

}  // namespace detail

// The whole of a simple main: a runtime from the environment, block_on, shutdown. An int (or void) body gives
// the exit status. SIGINT and SIGTERM request shutdown, a second one kills. A failure is printed as a tree and
// gives 1; cancelled gives 130.
//   int main() { return coppice::run([]() -> coppice::task<int> { ... }); }
template <class Main>
  requires spawnable<Main>
int run(Main&& main, const options& from = {}) {
  using result = spawned_t<Main>;
  static_assert(std::is_void_v<result> || std::convertible_to<result, int>,
                "coppice: run takes a callable that gives an int, the exit status, or nothing");
  try {
    runtime rt(from);
    const shutdown_on_signals signals(rt);
    if constexpr (std::is_void_v<result>) {
      rt.block_on(std::forward<Main>(main));
      return 0;
    } else {
      return rt.block_on(std::forward<Main>(main));
    }
  } catch (...) {
    return detail::exit_status_of_failure();
  }
}

}  // namespace coppice::inline v0
