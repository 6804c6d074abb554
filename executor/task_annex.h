// What few of the tasks have: a name, a time limit, callbacks, failures to be spoken of. Made on first use.
#pragma once

#include "executor/backtrace.h"
#include "executor/time_source.h"

#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/alarm.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/reason_block.h>
#include <coppice/outcome.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coppice::inline v0::detail {

// A deadline of the task's own, from spawn_options. When it rings the task is cancelled.
class outcome_cell::time_limit final : public alarm {
 public:
  time_limit(outcome_cell& task, duration limit) noexcept
      : alarm(rings::anywhere), task_(task), limit_(limit) {}

  duration limit() const noexcept { return limit_; }
  time_point due() const noexcept { return time_after(task_.spawned_at_, limit_); }

  // Was it the first to ask the task to stop? Told by the reason: the task may see that before ring() returns.
  bool passed() const noexcept {
    const reason_block* const mine = reason_.load(std::memory_order_relaxed);
    return mine != nullptr && reason_access::body(task_.node_.reason()) == mine;
  }

 private:
  void ring(worker_core& here) noexcept override;
  void keep() noexcept override { task_.add_reference(); }
  void let_go() noexcept override { task_.drop(); }

  outcome_cell& task_;
  const duration limit_;
  atomic<const reason_block*> reason_{nullptr};  // ring(); compared, and not looked at.
};

struct outcome_cell::annex {
  // A name and those before it.
  struct label {
    std::string text;
    std::unique_ptr<const label> earlier;
  };

  // The constructor of the task.
  std::unique_ptr<time_limit> limit;            // Null unless the task was given one.
  std::unique_ptr<const backtrace> spawned_by;  // Null unless COPPICE_DEBUG is on.

  // Under the lock.
  std::unique_ptr<const label> name;
  std::vector<std::function<void()>> done_calls;  // None once the status is an end.
  std::vector<error_entry> remembered;            // The latest few.
};

}  // namespace coppice::inline v0::detail
