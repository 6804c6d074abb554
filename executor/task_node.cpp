// Cancelling one task, and delivering the stop to what it waits in.
#include <coppice/detail/task_node.h>

#include "executor/executor_core.h"

#include <coppice/detail/outcome_cell.h>

#include <utility>

namespace coppice::inline v0::detail {

task_node::task_node(outcome_cell& task) noexcept : task_(task) {
  run = &task_node::deliver;
}

task_node::~task_node() {
  if (token_block* const token = token_.load(std::memory_order_relaxed)) {
    token->drop();
  }
}

void task_node::cancel(const cancel_reason& reason, executor_core& home) noexcept {
  if (!reason_.offer(reason_access::release(reason))) {
    return;
  }
  requested_.store(true, std::memory_order_seq_cst);                        // N1 N2
  if (token_block* const token = token_.load(std::memory_order_seq_cst)) {  // N2
    token->request(reason_access::release(reason));
  }
  home.bump_epoch();
  task_.add_reference();
  home.post(*this);
  home.bump_epoch();  // Again: who saw only the first found nothing in the inbox.
}

cancel_token task_node::token() {
  const std::lock_guard lock(mutex_);
  token_block* token = token_.load(std::memory_order_relaxed);
  if (token == nullptr) {
    token = token_block::make();
    if (token == nullptr) {
      throw std::bad_alloc();
    }
    token_.store(token, std::memory_order_seq_cst);    // N2
    if (requested_.load(std::memory_order_seq_cst)) {  // N1 N2
      token->mark(reason_access::release(reason()));
    }
  }
  return token_access::share(token);
}

const char* task_node::waiting_for() const noexcept {
  const std::lock_guard lock(mutex_);
  return waiting_ != nullptr ? waiting_->what() : nullptr;
}

void task_node::enroll(suspension& waiting, worker_core& here) {
  waiting.at = &here.take_slot();
  const std::lock_guard lock(mutex_);
  waiting.earlier = waiting_;
  waiting.later = nullptr;
  if (waiting_ != nullptr) {
    waiting_->later = &waiting;
  }
  waiting_ = &waiting;
}

void task_node::withdraw(suspension& over, worker_core& here) noexcept {
  {
    const std::lock_guard lock(mutex_);
    (over.later != nullptr ? over.later->earlier : waiting_) = over.earlier;
    if (over.earlier != nullptr) {
      over.earlier->later = over.later;
    }
  }
  slot& done = *std::exchange(over.at, nullptr);
  done.release();
  here.give_slot(done);
}

cancel_reason task_node::reason() const noexcept {
  return reason_access::share(reason_.get());
}

bool task_node::poll(epoch now) noexcept {
  const bool cancelled = requested();
  remember(now, cancelled);
  return cancelled;
}

void task_node::deliver(job& self, worker_core& here) noexcept {
  auto& node = static_cast<task_node&>(self);
  if (token_block* const token = node.token_.load(std::memory_order_acquire)) {  // N2
    token->mark(reason_access::release(node.reason()));
  }
  here.scope = &node;  // For what the destructors in the frames ask.
  suspension* won = node.claim_all();
  while (won != nullptr) {
    suspension& each = *std::exchange(won, won->next_won);
    each.stop(here).resume();
    here.settle();
  }
  node.task_.drop();
}

// The lock keeps those that wait from going away while they are looked at; the slot says who may be stopped.
suspension* task_node::claim_all() noexcept {
  const std::lock_guard lock(mutex_);
  suspension* won = nullptr;
  for (suspension* each = waiting_; each != nullptr; each = each->earlier) {
    if (each->at->claim_suspended()) {
      each->next_won = won;
      won = each;
    }
  }
  return won;
}

}  // namespace coppice::inline v0::detail
