// Settling what a walk owes.
#include <coppice/detail/walk_ledger.h>

#include <coppice/detail/outcome_cell.h>

#include <utility>

namespace coppice::inline v0::detail {

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
