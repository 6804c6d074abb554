// For tests: a clock that jumps, a runtime that repeats itself.
//
// Time is virtual, and stands still while any worker is busy; so a test sleeps for an hour in no
// time, and a timeout is never a matter of how fast the machine is. With one worker the order in
// which tasks run is drawn from a seed, and the seed of a run that failed gives the same run again:
//
//   test_runtime test;
//   SCOPED_TRACE(test.seed());  // gtest prints it beside what fails; then set COPPICE_TEST_SEED
//   test.block_on(...);
//
// The test's own thread counts as busy while it does not wait for the runtime, in block_on,
// advance(), run_until_blocked() or shutdown(): once all tasks wait, time stands still, and what
// the thread spawns or wakes then is begun when it waits next. A thread that waits in some other
// way, for a latch, say, is found out after a fifth of a second, and tasks and time go on without
// it. Likewise time stands still while a call of spawn_blocking goes on, but for so long at most.
#pragma once

#include <coppice/detail/standstill.h>
#include <coppice/detail/wait.h>
#include <coppice/runtime.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace coppice::inline v0 {

// The time of a test_runtime: stands still while any worker is busy. Timers due at one time all
// fire before any task runs. Any thread.
class COPPICE_EXPORT virtual_clock {
 public:
  virtual_clock(const virtual_clock&) = delete;
  virtual_clock& operator=(const virtual_clock&) = delete;

  time_point now() const noexcept;
  duration elapsed() const noexcept;                      // Since the runtime began.
  std::optional<time_point> next_timer() const noexcept;  // Empty: none.
  std::size_t pending_timers() const noexcept;

 private:
  friend class test_runtime;

  explicit virtual_clock(detail::standstill& of) noexcept : of_(of), began_(of.now()) {}

  detail::standstill& of_;
  const time_point began_;
};

struct test_options {
  unsigned workers = 1;                    // 1: one thread, order decided by the seed alone.
  std::optional<std::uint64_t> seed = {};  // Empty: COPPICE_TEST_SEED, else drawn; see seed().
  bool autojump = true;                    // When all are blocked, time goes to the next timer;
                                           // else only by advance(), and by shutdown()'s limits.
  bool shuffle = true;                     // false: first in, first out.
  options settings = {};                   // `threads` is of no effect: it is `workers`.
};

// A runtime on virtual time. At its end no frame may be left alive, else it terminates with a dump:
// a task that was neither run nor destroyed, or one that never ends though it was asked to stop.
class COPPICE_EXPORT test_runtime : public runtime {
 public:
  // As runtime; usage_error for 0 workers.
  explicit test_runtime(test_options options = {})
      : test_runtime(options, {.autojump = options.autojump,
                               .seed = options.seed,
                               .needs_seed = true,
                               .shuffle = options.shuffle}) {}

  ~test_runtime();

  // The same seed, 1 worker: the same run, of what block_on runs and of what was spawned before it.
  // Printed on stderr when an exception ends the runtime's scope, and where the runtime itself
  // finds fault.
  std::uint64_t seed() const noexcept;

  virtual_clock& clock() noexcept { return clock_; }

  // From the test's thread: fires what is due, timer by timer, and returns when all are blocked
  // again. On a worker: usage_error; tasks co_await coppice::advance().
  void advance(duration d);

  // Returns when every task waits (for a timer, an event, ...). From the test's thread, as
  // advance().
  void run_until_blocked();

  // All blocked and no timer, as of now: block_on then throws usage_error with a dump, having
  // cancelled its task. (It gives other threads a fifth of a second to wake a task up.)
  bool deadlocked() const noexcept;

  // Coroutines made since the runtime began, wherever, and not destroyed. Exact when all are
  // blocked and no other runtime of the process runs.
  std::size_t live_frames() const noexcept;

 private:
  friend virtual_clock& test_clock();

  struct COPPICE_EXPORT kit final : detail::test_kit {
    explicit kit(test_runtime& runtime) noexcept : of(runtime) {}
    std::string describe() const override;

    test_runtime& of;
  };

  test_runtime(const test_options& options, const detail::test_setup& setup)
      : runtime(settings_of(options), &setup), still_(*detail::standstill_of(beneath())) {
    still_.attach(&kit_);
  }

  static options settings_of(const test_options& from) noexcept {
    options settings = from.settings;
    settings.threads = from.workers;
    return settings;
  }

  void require_plain_thread(const char* call) const;

  detail::standstill& still_;
  kit kit_{*this};
  virtual_clock clock_{still_};
  const int exceptions_before_ = std::uncaught_exceptions();
};

namespace detail {

using blocked_operation = wait_operation<blocked_source>;
using advance_operation = wait_operation<advance_source>;

}  // namespace detail

// The same from inside a task of a test_runtime; elsewhere usage_error.

// Until all other tasks wait. Comes before time moves on.
COPPICE_EXPORT detail::blocked_operation wait_all_tasks_blocked();

// Until time has moved on by d, from timer to timer, and all other tasks wait.
COPPICE_EXPORT detail::advance_operation advance(duration d);

COPPICE_EXPORT virtual_clock& test_clock();

}  // namespace coppice::inline v0
