// The moments of an executor on virtual time at which nothing can run, and time may move.
//
// At a standstill every worker rests and nothing is queued. Workers rest in rest(), and get up under
// the lock alone. So whoever holds the lock while all of them rest may move time and fire timers,
// and no task runs before it has done: what another thread queues meanwhile counts as queued
// afterwards.
//
// What there is to do at a standstill, in this order: tasks that waited for it go on; threads that
// did are told; time goes to the next timer or the next instant that somebody waits for, whichever
// is earlier, and all timers of that instant fire. If none of this is left, nothing will ever run
// by itself.
//
// Plain threads take part as if they were workers: while none of them waits for the executor (in
// block_on, advance(), shutdown() ...) a test's thread is busy preparing something, so that time
// stands still and what it queues is not begun. Otherwise the order of a run would depend on how
// fast that thread is. As it may also wait for something of its own (a latch), this lasts for
// `patience` of real time at most; and since other threads may be about to wake a task up, nobody
// is told of a deadlock before that either.
//
// So do calls of spawn_blocking, whose speed is as little to matter: while one of them goes on time
// stands still, again for `patience` behind the beginning of the latest at most.
//
// Orderings
//   ST1  What was expected from outside queues its job, then takes itself off the count; who finds the count at
//        zero finds the job.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/slot.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace coppice::inline v0 {
class executor;
}

namespace coppice::inline v0::detail {

class executor_core;
class worker;
class worker_core;

// What stands over an executor for tests: says what a standstill cannot.
class test_kit {
 public:
  // Of a deadlock, say: the tasks there are, and how to have the same run again.
  virtual std::string describe() const = 0;

 protected:
  ~test_kit() = default;
};

class COPPICE_EXPORT standstill {
 public:
  // How a thread's wait ended.
  enum class wait_end : std::uint8_t { met, time_up, deadlock };

  // One that waits for a standstill. Lies in the frame of a task, or on the stack of a thread.
  struct waiter {
    time_point until = time_point::min();  // Of all standstills the first at or after that time.
    ticket wait = {};                      // A task's.
    bool (*met)(const void*) = nullptr;    // A thread's: the condition that ends its wait, if any.
    const void* condition = nullptr;
    bool at_once = false;  // As soon as it holds, not at the next standstill only.
    std::optional<wait_end> end = {};
    waiter* next = nullptr;
    waiter* previous = nullptr;
    bool listed = false;
  };

  // Before the workers start. Throws std::bad_alloc.
  standstill(executor_core& of, bool autojump, duration patience);
  standstill(const standstill&) = delete;
  standstill& operator=(const standstill&) = delete;

  // A worker without work, which may have been counted as a searcher; returns when it should look
  // again, and is one then.
  void rest(worker& here, std::size_t index, bool searching) noexcept;

  // Threads of no executor. Waits until every task waits.
  void wait_until_blocked();

  // The same when time has moved on by d; it goes from timer to timer.
  void advance(duration d);

  // Waits until the condition holds, and unless `at_once` all wait besides; or all wait and time
  // has moved on by `limit`; or nothing that the executor does can make the condition hold. It is
  // asked under the lock.
  template <class Condition>
  wait_end wait(const Condition& condition, duration limit, bool at_once) {
    waiter mine;
    mine.until = later(limit);
    mine.at_once = at_once;
    mine.met = [](const void* of) { return (*static_cast<const Condition*>(of))(); };
    mine.condition = &condition;
    return wait_as(mine);
  }

  // A condition may hold now that a thread wants to know at once.
  void look_at_conditions() noexcept;

  // Tasks.
  void add(waiter& waiting) noexcept;
  void remove(waiter& over) noexcept;

  // Any thread.
  time_point now() const noexcept;
  time_point later(duration d) const noexcept;           // The latest time there is: never.
  time_point instant_behind(duration d) const noexcept;  // That does come.
  std::optional<time_point> next_timer() const noexcept;
  std::size_t pending_timers() const noexcept;
  std::uint64_t seed() const noexcept;

  // Every task waits, there is at least one, there is no timer, and nothing is expected from
  // outside.
  bool deadlocked() const noexcept;

  // Coroutines that have been made since the executor was, and not destroyed, by anybody; but not
  // those that workers have made which are busy now, other than the caller.
  std::size_t live_frames() const noexcept;

  // Is this the only executor of the process? If not, frames made on plain threads may be
  // another's.
  bool alone() const noexcept;

  // Something outside the executor has begun that will queue a job (by = 1), or has done so (-1).
  void expect_from_outside(std::int64_t by) noexcept {
    outside_.fetch_add(by, std::memory_order_release);  // ST1
  }

  // A call of spawn_blocking has begun to wait for its thread; it is over, and what it led to has
  // been queued. Any thread.
  void call_began() noexcept;
  void call_ended() noexcept;

  // From now on time moves by itself.
  void let_time_go() noexcept;

  // Null for none. Not while tasks run.
  void attach(const test_kit* kit) noexcept { kit_ = kit; }
  const test_kit* kit() const noexcept { return kit_; }

  // What the kit says.
  std::string describe() const;

 private:
  struct resting_worker {
    bool rests = true;              // Also before it has begun.
    std::size_t frames_before = 0;  // Constant: in its cache when the executor was made.
  };

  wait_end wait_as(waiter& mine);

  // All these under the lock.
  bool look(worker& here, time_point& sleep_until) noexcept;
  bool move_on(worker& here) noexcept;
  void move_time_to(time_point later) noexcept;
  bool resume_tasks(worker& here, time_point until) noexcept;
  void tell_threads(time_point until) noexcept;
  void tell(waiter& thread, wait_end end) noexcept;
  bool fire_timers(worker& here) noexcept;
  waiter* first_waiter() const noexcept;
  void tell_if_met(bool all_rest) noexcept;
  void link(waiter& waiting) noexcept;
  void unlink(waiter& over) noexcept;
  bool released() const noexcept;
  bool held_by_calls() const noexcept;
  time_point hold() noexcept;
  time_point watch_for_deadlock() noexcept;
  bool nothing_to_come() const noexcept;

  executor_core& core_;
  const duration patience_;
  const test_kit* kit_ = nullptr;
  const std::size_t shared_frames_before_;
  atomic<std::int64_t> outside_{0};  // expect_from_outside().

  mutable std::mutex mutex_;
  std::condition_variable told_;  // Some waiter's end.

  // All under the lock.
  std::vector<resting_worker> workers_;
  std::size_t resting_ = 0;
  waiter* waiters_ = nullptr;  // The latest first.
  std::size_t threads_ = 0;    // Of the waiters.
  std::size_t calls_ = 0;      // Of spawn_blocking, that go on.
  bool autojump_;
  std::optional<clock::time_point> held_until_;   // What is held back; empty if nothing is.
  std::optional<clock::time_point> deadlock_at_;  // Empty if there is none in sight.
  clock::time_point calls_hold_until_ = {};       // As long as there are calls.
};

// Null unless the executor is on virtual time.
COPPICE_EXPORT standstill* standstill_of(const executor& of) noexcept;

// Of the running task's executor. usage_error outside a task and where time is not virtual, naming
// the call.
COPPICE_EXPORT standstill& current_standstill(const char* call);

// What a task waits in until all others wait.
class COPPICE_EXPORT standstill_source {
 public:
  using value_type = void;

  standstill_source(standstill& of, time_point until) noexcept : of_(of) { waiter_.until = until; }

  bool ready() const noexcept { return false; }
  void arm(const ticket& wait, worker_core& here) noexcept;
  void disarm() noexcept { of_.remove(waiter_); }
  void result() const noexcept {}

 private:
  standstill& of_;
  standstill::waiter waiter_;
};

struct blocked_source : standstill_source {
  using standstill_source::standstill_source;
  static constexpr const char* name = "wait_all_tasks_blocked";
};

struct advance_source : standstill_source {
  using standstill_source::standstill_source;
  static constexpr const char* name = "advance";
};

}  // namespace coppice::inline v0::detail
