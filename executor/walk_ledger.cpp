// Settling what a walk owes.
#include <coppice/detail/walk_ledger.h>

#include <coppice/detail/fork_base.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/worker_core.h>

#include <new>
#include <utility>

namespace coppice::inline v0::detail {

bool walk_ledger::note_put_off(receiver& task) noexcept {
  try {
    put_off_.push_back(&task);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// Who hears of an end may stop others.
void walk_ledger::tell_put_off(worker_core& here) noexcept {
  constexpr std::size_t ahead = 4;
  constexpr std::size_t kept = 4096;
  for (std::size_t i = 0; i < put_off_.size(); ++i) {
    if (i + ahead < put_off_.size()) {
      const char* const cell = reinterpret_cast<const char*>(put_off_[i + ahead]);
      for (std::size_t line = 0; line != 5; ++line) {
        __builtin_prefetch(cell + 64 * line, 1);
      }
    }
    auto& task = static_cast<outcome_cell&>(*put_off_[i]);
    here.scope = &task.node();  // For the destructors of what it was started from.
    static_cast<void>(put_off_[i]->stopped(here));
    here.settle();
  }
  put_off_.clear();
  if (put_off_.capacity() > kept) {
    std::vector<receiver*>().swap(put_off_);
  }
}

// What is called may write down more.
void walk_ledger::pay(worker_core& here) noexcept {
  task_keeper& keeper = *std::exchange(keeper_, nullptr);
  const std::uint32_t left = std::exchange(left_, 0);
  const std::uint32_t dropped = std::exchange(dropped_, 0);
  if (left != 0) {
    keeper.left(left, here);
  }
  if (dropped != 0) {
    keeper.drop(dropped);
  }
}

// The last children to be told end their fork, and it what awaits it, which may be a child of another.
void walk_ledger::tell_fork(worker_core& here) noexcept {
  cancel_node* const scope = here.scope;
  const std::coroutine_handle<> next = std::exchange(here.next, nullptr);
  promise_base* const stopping = std::exchange(here.stopping, nullptr);
  while (fork_base* const fork = std::exchange(fork_, nullptr)) {
    fork->children_stopped(here, std::exchange(stopped_, 0)).resume();
    here.settle();
  }
  here.scope = scope;
  here.next = next;
  here.stopping = stopping;
}

void walk_ledger::stock(const reason_block& reason) noexcept {
  constexpr std::uint32_t at_a_time = 256;
  settle_reason();
  reason.add_references(at_a_time);
  reason_ = &reason;
  references_ = at_a_time;
}

void walk_ledger::settle_reason() noexcept {
  const reason_block* const reason = std::exchange(reason_, nullptr);
  const std::uint32_t references = std::exchange(references_, 0);
  if (references != 0) {
    reason->drop_references(references);
  }
}

}  // namespace coppice::inline v0::detail
