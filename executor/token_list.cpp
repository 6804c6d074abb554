#include "executor/token_list.h"

#include <utility>

namespace coppice::inline v0::detail {

token_list::~token_list() {
  while (first_ != nullptr) {
    std::exchange(first_, first_->listed_next)->drop();
  }
}

void token_list::add(token_block& block) noexcept {
  block.add_reference();
  const std::lock_guard lock(mutex_);
  block.listed_next = first_;
  first_ = &block;
  any_.store(true, std::memory_order_relaxed);
}

// The callbacks run outside the lock: they may make tokens.
void token_list::mark_those_requested() noexcept {
  token_block* over = nullptr;
  {
    const std::lock_guard lock(mutex_);
    token_block** link = &first_;
    while (token_block* const each = *link) {
      if (each->requested() || !each->watching()) {
        *link = each->listed_next;
        each->listed_next = over;
        over = each;
      } else {
        link = &each->listed_next;
      }
    }
    any_.store(first_ != nullptr, std::memory_order_relaxed);
  }
  while (over != nullptr) {
    token_block* const each = std::exchange(over, over->listed_next);
    each->mark_if_requested();
    each->drop();
  }
}

}  // namespace coppice::inline v0::detail
