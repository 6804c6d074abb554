// Cancelling one task, and delivering the stop to what it waits in.
#include <coppice/detail/task_node.h>

#include "executor/executor_core.h"

#include <coppice/detail/outcome_cell.h>

#include <new>
#include <utility>

namespace coppice::inline v0::detail {

task_node::task_node(outcome_cell& task, cancel_node* parent) noexcept
    : strand_node(parent), task_(task) {
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
  state_.request();
  if (token_block* const token = token_.load(std::memory_order_seq_cst)) {  // N2
    token->request(reason_access::release(reason));
  }
  home.bump_epoch();
  task_.add_reference();
  home.post(*this);
  home.bump_epoch();  // Again: who saw only the first found nothing in the inbox.
}

cancel_token task_node::token() {
  token_block* token = token_.load(std::memory_order_acquire);  // N2
  if (token == nullptr) {
    token_block* const fresh = token_block::make();
    if (fresh == nullptr) {
      throw std::bad_alloc();
    }
    if (token_.compare_exchange_strong(token, fresh, std::memory_order_seq_cst,  // N2
                                       std::memory_order_acquire)) {             // N2
      token = fresh;
      if (requested()) {
        token->mark(reason_access::release(reason()));
      }
    } else {
      fresh->drop();
    }
  }
  return token_access::share(token);
}

void task_node::deliver(job& self, worker_core& here) noexcept {
  auto& node = static_cast<task_node&>(self);
  if (token_block* const token = node.token_.load(std::memory_order_acquire)) {  // N2
    token->mark(reason_access::release(node.reason()));
  }
  node.walk_below(here);
  node.task_.drop();
}

}  // namespace coppice::inline v0::detail
