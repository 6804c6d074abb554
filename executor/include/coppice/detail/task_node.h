// The cancel node of one task: a flag, a reason, and the list of its suspensions.
//
// It knows nothing above or below it. The list is guarded by a lock, at which only the task's own
// suspensions and its cancel meet.
//
// Orderings
//   N1  cancel() stores the reason, then the flag; who sees the flag sees the reason.
//   N2  token() publishes the block, then reads the flag; cancel() sets the flag, then reads the block: all
//       four in one total order, so the token is told by one of the two.
#pragma once

#include <coppice/cancel.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/job.h>
#include <coppice/detail/suspension.h>

#include <mutex>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT task_node final : public cancel_node, job {
 public:
  explicit task_node(outcome_cell& task) noexcept;
  ~task_node();

  // Asks what runs under the node to stop. Any thread that holds a reference to the task; allocates nothing;
  // the first reason stays. Those that wait are stopped on a worker of `home`.
  void cancel(const cancel_reason& reason, executor_core& home) noexcept;

  bool requested() const noexcept { return requested_.load(std::memory_order_acquire); }  // N1

  // Sees the request. Throws std::bad_alloc.
  cancel_token token();

  // What it waits for now; null if nothing.
  const char* waiting_for() const noexcept;

  void enroll(suspension& waiting, worker_core& here) override;
  void withdraw(suspension& over, worker_core& here) noexcept override;
  cancel_reason reason() const noexcept override;
  outcome_cell* task() const noexcept override { return &task_; }

 private:
  bool poll(epoch now) noexcept override;
  static void deliver(job& self, worker_core& here) noexcept;
  suspension* claim_all() noexcept;

  outcome_cell& task_;
  reason_slot reason_;
  atomic<bool> requested_{false};  // cancel().
  mutable std::mutex mutex_;
  suspension* waiting_ = nullptr;        // Under the lock: the latest to wait.
  atomic<token_block*> token_{nullptr};  // Under the lock; cancel() reads.
};

}  // namespace coppice::inline v0::detail
