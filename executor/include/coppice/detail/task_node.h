// The cancel node of one spawned task.
//
// Orderings
//   TN1  A request is made, then the delivery is queued unless it is; the delivery says that it is not queued any more,
//        then walks: each request is followed by a walk.
#pragma once

#include <coppice/cancel.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/job.h>
#include <coppice/detail/token_place.h>

#include <cstdint>
#include <string>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT task_node final : public strand_node, job {
 public:
  task_node(outcome_cell& task, cancel_node* parent) noexcept;

  // Asks what runs under the node to stop; true for the first request. Any thread that holds a reference to the
  // task and keeps its executor from going away; allocates nothing. Those that wait are stopped on a worker.
  bool cancel(const cancel_reason& reason, executor_core& home) noexcept;

  // The same, of what shields keep out as well. Of a task that was asked before, too.
  void cancel_overriding(const cancel_reason& reason, executor_core& home) noexcept;

  // Its task will not begin, for that reason.
  void refuse(const cancel_reason& reason) noexcept;

  // Sees the request. Throws std::bad_alloc.
  cancel_token token();

  // The task has ended. On a worker.
  void close(worker_core& here) noexcept {
    tokens_.close();
    strand_node::close(here);
  }

  outcome_cell* task() const noexcept override { return &task_; }
  token_place* tokens() noexcept override { return &tokens_; }
  bool ended() const noexcept override;
  const binding_ref* bindings() const noexcept override;

  // Shields that its code has put up. Any thread reads.
  void count_shield(std::int32_t by) noexcept { shields_.fetch_add(by, std::memory_order_relaxed); }
  bool shields_itself() const noexcept { return shields_.load(std::memory_order_relaxed) != 0; }
  time_point deadline() const noexcept override;
  std::string label() const override;

 private:
  const reason_block* known_reason() const noexcept override;
  void learn(const reason_block& why) noexcept override;
  void deliver_later(executor_core& home) noexcept;
  static void deliver(job& self, worker_core& here) noexcept;

  outcome_cell& task_;
  reason_slot reason_;   // Of its own request.
  reason_slot learned_;  // Of one above.
  token_place tokens_;
  atomic<std::int32_t> shields_{0};  // Whoever puts one up or takes it down.
  atomic<bool> queued_{false};       // Whoever queues the delivery; it itself.
};

}  // namespace coppice::inline v0::detail
