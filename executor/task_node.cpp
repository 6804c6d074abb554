// Cancelling one task, and delivering the stop to what it waits in.
#include <coppice/detail/task_node.h>

#include "executor/executor_core.h"

#include <coppice/detail/outcome_cell.h>

namespace coppice::inline v0::detail {

task_node::task_node(outcome_cell& task, cancel_node* parent) noexcept
    : strand_node(parent, 0, scope_state::what::task), task_(task) {
  run = &task_node::deliver;
}

bool task_node::cancel(const cancel_reason& reason, executor_core& home) noexcept {
  const bool first = reason_.offer(reason_access::release(reason));
  if (state_.request()) {
    deliver_later(home);
  }
  return first;
}

void task_node::cancel_overriding(const cancel_reason& reason, executor_core& home) noexcept {
  reason_.offer(reason_access::release(reason));
  if (state_.override_shields()) {
    deliver_later(home);
  }
}

// The epoch moves twice: who saw only the first move found nothing in the inbox.
void task_node::deliver_later(executor_core& home) noexcept {
  home.bump_epoch();
  if (!queued_.exchange(true, std::memory_order_seq_cst)) {  // TN1
    task_.add_reference();
    home.post(*this);
    home.bump_epoch();
  }
}

void task_node::refuse(const cancel_reason& reason) noexcept {
  if (reason_.offer(reason_access::release(reason))) {
    state_.request();
  }
}

cancel_token task_node::token() {
  return tokens_.make(*this, task_.home());
}

bool task_node::ended() const noexcept {
  return task_.done();
}

const reason_block* task_node::known_reason() const noexcept {
  return requested() ? reason_.get() : learned_.get();
}

void task_node::learn(const reason_block& why) noexcept {
  if (learned_.get() == nullptr) {
    why.add_reference();
    learned_.offer(&why);
  }
}

const binding_ref* task_node::bindings() const noexcept {
  return &task_.bindings();
}

time_point task_node::deadline() const noexcept {
  return task_.deadline();
}

std::string task_node::label() const {
  const std::string_view name = task_.name();
  return name.empty() ? "task " + std::to_string(static_cast<std::uint64_t>(task_.id()))
                      : std::string(name);
}

void task_node::deliver(job& self, worker_core& here) noexcept {
  auto& node = static_cast<task_node&>(self);
  node.queued_.store(false, std::memory_order_seq_cst);  // TN1
  node.walk_below(here);
  here.home.mark_tokens();
  node.task_.drop();
}

}  // namespace coppice::inline v0::detail
