// The inside of an executor: its threads, its settings, and the list of its tasks.
#pragma once

#include "executor/executor_core.h"
#include "executor/settings.h"
#include "executor/thread_team.h"
#include "executor/time_source.h"

#include <coppice/detail/executor_state.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/executor.h>
#include <coppice/report.h>
#include <coppice/task_handle.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace coppice::inline v0::detail {

class executor_state {
 public:
  executor_state(executor& of, const options& from, const test_setup* setup);
  ~executor_state();

  // usage_error in the child of a fork(), which has no workers.
  void require_same_process(const char* call) const;
  bool forked() const noexcept;

  admission admit(outcome_cell& task, bool main) noexcept;
  void remove(outcome_cell& task, bool main) noexcept;
  std::vector<task_ref> live_tasks() const;
  std::size_t live_task_count() const noexcept;
  void close() noexcept;
  void cancel_all(const cancel_reason& reason) noexcept;
  void cancel_from_now(const cancel_reason& reason) noexcept;
  void cancel_no_more() noexcept;
  task_counts counts() const noexcept;
  bool wait_until_idle(duration limit) const;
  // On virtual time: usage_error for a task that can never end, which is then cancelled.
  void wait_for_end(const task_ref& main) const;

  void report(const error_report& report) noexcept;
  error_handler set_error_handler(error_handler handler);

  executor& face;
  const settings resolved;
  time_source time;
  std::unique_ptr<executor_core> core;

  // Who keeps what spawn starts, and what block_on starts.
  class list_keeper final : public task_keeper {
   public:
    list_keeper(executor_state& state, bool main) noexcept : state_(state), main_(main) {}

    admission admit(outcome_cell& task) noexcept override { return state_.admit(task, main_); }
    void ended(outcome_cell& task, bool taken) noexcept override;
    void report(const error_report& report) noexcept override { state_.report(report); }
    executor_core& home() const noexcept override { return *state_.core; }
    const char* kind() const noexcept override { return "the runtime"; }

   private:
    executor_state& state_;
    const bool main_;
  };

  list_keeper spawned{*this, false};
  list_keeper mains{*this, true};

 private:
  // On virtual time.
  template <class Condition>
  bool wait_at_standstills(const Condition& condition, duration limit, bool at_once) const;
  std::string deadlock_text() const;

  const std::uint64_t process_;  // Changes in the child of a fork().
  mutable std::mutex mutex_;
  mutable std::condition_variable ended_;  // The last task, or one that a thread waits for.
  outcome_cell* latest_ = nullptr;         // Under the lock, as all that follow.
  std::size_t count_ = 0;
  task_counts counts_;
  bool closed_ = false;
  std::optional<cancel_reason> cancelling_;       // For tasks yet to come.
  std::shared_ptr<const error_handler> handler_;  // Null: the default.
  thread_team team_;                              // Last: the threads use all the others.
};

}  // namespace coppice::inline v0::detail
