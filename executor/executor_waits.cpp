// How plain threads wait for the tasks of an executor.
#include "executor/executor_state.h"

#include <coppice/error.h>

#include <cstdio>
#include <exception>
#include <mutex>
#include <string>

namespace coppice::inline v0::detail {

bool executor_state::wait_until_idle(duration limit) const {
  if (core->still != nullptr) {
    return wait_at_standstills([this] { return live_task_count() == 0; }, limit, false);
  }
  std::unique_lock lock(mutex_);
  const auto idle = [this] { return live_task_count() == 0; };
  const time_point until = time_after(clock::now(), limit);
  if (until == time_point::max()) {
    ended_.wait(lock, idle);
    return true;
  }
  return ended_.wait_until(lock, until, idle);
}

bool executor_state::wait_for_blocking_calls(duration limit) const {
  if (core->still != nullptr) {
    return wait_at_standstills([this] { return core->blocking.empty(); }, limit, false);
  }
  return core->blocking.wait_until_empty(limit);
}

void executor_state::wait_for_end(const task_ref& main) const {
  // The task leaves the list when its last callback has run; its status comes earlier.
  const outcome_cell& cell = handle_access::cell(main, "block_on");
  const auto ended = [&cell] { return cell.has_left_list(); };
  if (core->still == nullptr) {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, ended);
    return;
  }
  const auto ended_now = [this, &ended] {
    const std::lock_guard lock(mutex_);
    return ended();
  };
  if (core->still->wait(ended_now, forever, true) == standstill::wait_end::deadlock) {
    const std::string deadlock = deadlock_text();
    main.cancel(cancel_reason(cancel_kind::misuse, "deadlock"));
    wait_at_standstills(ended_now, forever, true);
    throw usage_error(deadlock);
  }
}

std::string executor_state::deadlock_text() const {
  return "deadlock: block_on waits for a task that can never end, since every task waits, no timer "
         "is set and nothing is expected from outside\n" +
         core->still->describe();
}

// False when the time is up. Tasks that are asked to stop, and never will, would be waited for for ever.
template <class Condition>
bool executor_state::wait_at_standstills(const Condition& condition, duration limit,
                                         bool at_once) const {
  if (limit <= duration::zero()) {
    return condition();
  }
  for (;;) {
    switch (core->still->wait(condition, limit, at_once)) {
      case standstill::wait_end::met:
        return true;
      case standstill::wait_end::time_up:
        return condition();
      case standstill::wait_end::deadlock:
        break;
    }
    // What is queued since may still end them.
    if (core->still->deadlocked() && !condition()) {
      std::fprintf(
          stderr,
          "coppice: tasks were asked to stop and never will: every task waits, no timer is set "
          "and nothing is expected from outside\n%s",
          core->still->describe().c_str());
      std::terminate();
    }
  }
}

}  // namespace coppice::inline v0::detail
