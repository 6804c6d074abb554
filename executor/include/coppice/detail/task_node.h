// The cancel node of one spawned task.
//
// Orderings
//   N2  token() publishes the block, then reads the flag; cancel() sets the flag, then reads the block: all
//       four in one total order, so the token is told by one of the two.
#pragma once

#include <coppice/cancel.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/job.h>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT task_node final : public strand_node, job {
 public:
  task_node(outcome_cell& task, cancel_node* parent) noexcept;
  ~task_node();

  // Asks what runs under the node to stop. Any thread that holds a reference to the task; allocates nothing;
  // the first reason stays. Those that wait are stopped on a worker of `home`.
  void cancel(const cancel_reason& reason, executor_core& home) noexcept;

  // Sees the request. Throws std::bad_alloc.
  cancel_token token();

  outcome_cell* task() const noexcept override { return &task_; }

 private:
  const reason_block* own_reason() const noexcept override { return reason_.get(); }
  static void deliver(job& self, worker_core& here) noexcept;

  outcome_cell& task_;
  reason_slot reason_;
  atomic<token_block*> token_{nullptr};  // The first to ask for one.
};

}  // namespace coppice::inline v0::detail
