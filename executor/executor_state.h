// The inside of an executor: its threads, its settings, and the list of its tasks.
//
// Orderings
//   L1  A task leaves by releasing what it did, who finds the count at zero acquires it.
//   L2  A new task is listed, then looks whether all are being cancelled; who cancels all says so, then goes
//       through the list: the task is told by one of the two.
#pragma once

#include "executor/executor_core.h"
#include "executor/settings.h"
#include "executor/thread_team.h"
#include "executor/time_source.h"

#include <coppice/detail/cancel_node.h>
#include <coppice/detail/executor_state.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/slot_set.h>
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

  admission enter(bool main) noexcept;
  void leave() noexcept { leave(1, false); }
  void list(outcome_cell& task);
  void remove(outcome_cell& task) noexcept;
  std::vector<task_ref> live_tasks() const;
  std::size_t live_task_count() const noexcept;
  void close() noexcept;
  void cancel_all(const cancel_reason& reason) noexcept;
  void cancel_from_now(const cancel_reason& reason) noexcept;
  void cancel_no_more() noexcept;
  task_counts counts() const noexcept;
  bool wait_until_idle(duration limit) const;
  bool wait_for_blocking_calls(duration limit) const;
  // On virtual time: usage_error for a task that can never end, which is then cancelled.
  void wait_for_end(const task_ref& main) const;

  void report(const error_report& report) noexcept;

  // A fatal failure of a task that stands directly below: ends all tasks, and leaves through whoever waits for one.
  void end_all(std::exception_ptr fatal) noexcept;
  std::exception_ptr take_fatal() const noexcept;
  error_handler set_error_handler(error_handler handler);

  executor& face;
  const settings resolved;
  time_source time;
  std::unique_ptr<executor_core> core;

  // Who keeps what spawn starts, and what block_on starts.
  class list_keeper final : public task_keeper {
   public:
    list_keeper(executor_state& state, bool main) noexcept : state_(state), main_(main) {}

    admission enter() noexcept override { return state_.enter(main_); }
    void leave() noexcept override { state_.leave(); }
    void list(outcome_cell& task) override { state_.list(task); }
    cancel_node* node() noexcept override { return &state_.root; }
    void ended(outcome_cell& task, bool taken) noexcept override;
    void unlist(outcome_cell& task) noexcept override { state_.remove(task); }
    void left(std::uint32_t tasks, worker_core& here) noexcept override;
    executor_core& home() const noexcept override { return *state_.core; }
    const char* kind() const noexcept override { return "the runtime"; }

   private:
    executor_state& state_;
    const bool main_;
  };

  list_keeper spawned{*this, false};
  list_keeper mains{*this, true};

  // Under which all tasks stand.
  class root_node final : public branch_node {
   public:
    scope_core* scope() noexcept override { return face; }

    scope_core* face = nullptr;  // Whoever stands over the executor, before there are tasks.
  };

  root_node root;

 private:
  // On virtual time.
  template <class Condition>
  bool wait_at_standstills(const Condition& condition, duration limit, bool at_once) const;
  std::string deadlock_text() const;

  static constexpr std::uint64_t closed_bit = std::uint64_t{1} << 63;

  static void unlist(outcome_cell& task) noexcept;
  static cell_ref listed_at(slot& at) noexcept;
  void leave(std::uint32_t tasks, bool tell) noexcept;
  template <class Visit>
  void for_each_live(const Visit& visit) const;

  const std::uint64_t process_;  // Changes in the child of a fork().
  // A slot for each live task, published for as long as it is listed.
  slot_set tasks_{slot_set::purpose::list};
  atomic<std::uint64_t> live_{0};   // Live tasks, and whether no more are taken in. Anybody.
  atomic<bool> cancelling_{false};  // Tasks yet to come are cancelled at once. Who shuts down.
  mutable std::mutex mutex_;
  mutable std::condition_variable ended_;         // The last task, or one that a thread waits for.
  std::optional<cancel_reason> cancelling_for_;   // Under the lock.
  mutable std::exception_ptr fatal_;              // Under the lock: the first.
  std::shared_ptr<const error_handler> handler_;  // Null: the default.
  thread_team team_;                              // Last: the threads use all the others.
};

}  // namespace coppice::inline v0::detail
