// Looking up the tree, and making what is below visible from above.
#include <coppice/detail/cancel_node.h>

#include <coppice/detail/reason_block.h>
#include <coppice/detail/worker_core.h>

namespace coppice::inline v0::detail {

// Up to a node that knows, or that itself is asked to stop, or shielded. All on the way have the same answer.
bool cancel_node::poll(epoch now) noexcept {
  bool cancelled = false;
  cancel_node* top = this;
  for (;;) {
    const epoch seen = top->seen_.load(std::memory_order_relaxed);
    if ((seen & ~epoch{1}) == now) {
      cancelled = (seen & 1) != 0;
      break;
    }
    if (!top->state_.transparent()) {
      cancelled = top->state_.requested();
      break;
    }
    if (top->parent_ == nullptr) {
      break;
    }
    top = top->parent_;
  }
  for (cancel_node* each = this;; each = each->parent_) {
    each->remember(now, cancelled);
    if (each == top) {
      return cancelled;
    }
  }
}

cancel_reason cancel_node::reason() const noexcept {
  for (const cancel_node* each = this; each != nullptr; each = each->parent_) {
    if (each->state_.requested()) {
      return reason_access::share(each->own_reason());
    }
  }
  return reason_access::none();
}

branch_node* cancel_node::branch_above() noexcept {
  return parent_ != nullptr ? parent_->branch_above() : nullptr;
}

slot& branch_node::enroll(worker_core& here, const char* /*what*/) {
  slot& taken = slots_.take(&here);
  if (!state_.linked()) {
    try {
      link(here);
    } catch (...) {
      taken.release();
      throw;
    }
  }
  return taken;
}

void branch_node::withdraw(slot& over, worker_core& /*here*/) noexcept {
  over.release();
}

// From below upwards, as far as others have not come before.
void branch_node::link(worker_core& here) {
  const epoch before = here.cancel_epoch->load(std::memory_order_seq_cst);  // S3
  branch_node* top = nullptr;
  branch_node* each = this;
  try {
    while (each != nullptr && !each->state_.linked() && each->parent() != nullptr) {
      slot& at = each->parent()->entry(here);
      if (!each->state_.begin_link()) {
        each->parent()->leave_entry(at, here);
        break;
      }
      each->link_ = &at;
      at.link(*each->slots_.first());
      top = each;
      each = each->parent()->branch_above();
    }
  } catch (...) {
    // Without memory for the rest, so that the next to register shall try again.
    for (branch_node* linked = this; linked != each; linked = linked->parent()->branch_above()) {
      linked->unlink(here);
    }
    throw;
  }
  if (top != nullptr && here.cancel_epoch->load(std::memory_order_seq_cst) != before) {  // S3
    top->walk_below(here);
  }
}

void branch_node::walk_below(worker_core& here) noexcept {
  if (slot_chunk* const first = slots_.first()) {
    walk::from(*first, here);
  }
}

void branch_node::close_slots(worker_core* here) noexcept {
  if (parent() != nullptr && state_.linked()) {
    unlink(*here);
  }
  slots_.close(here);
}

void branch_node::unlink(worker_core& here) noexcept {
  link_->unlink();
  parent()->leave_entry(*link_, here);
  state_.unlink();
}

slot& strand_node::enroll(worker_core& here, const char* what) {
  slot& mine = place(here);
  if (!state_.linked()) {
    link(here);
  }
  describe(what);
  return mine;
}

void strand_node::withdraw(slot& over, worker_core& /*here*/) noexcept {
  describe(nullptr);
  over.rest();
}

slot& strand_node::place(worker_core& here) {
  slot* const made = place_.load(std::memory_order_acquire);  // CN3
  return made != nullptr ? *made : make_place(here);
}

// Two children of one fork may come here at once.
slot& strand_node::make_place(worker_core& here) {
  slot& fresh = parent() != nullptr ? parent()->entry(here) : here.take_slot();
  slot* made = nullptr;
  if (place_.compare_exchange_strong(made, &fresh, std::memory_order_acq_rel,  // CN3
                                     std::memory_order_acquire)) {             // CN3
    return fresh;
  }
  if (parent() != nullptr) {
    parent()->leave_entry(fresh, here);
  } else {
    here.give_slot(fresh);
  }
  return *made;
}

void strand_node::link(worker_core& here) {
  branch_node* const above = branch_above();
  if (above != nullptr && !above->state_.linked()) {
    above->link(here);
  }
  static_cast<void>(state_.begin_link());
}

void strand_node::close_place(worker_core& here) noexcept {
  slot& done = *place_.load(std::memory_order_relaxed);
  if (parent() != nullptr) {
    parent()->leave_entry(done, here);
  } else {
    done.release();
    here.give_slot(done);
  }
}

const char* strand_node::waiting_for() const noexcept {
  if (const char* const what = waits_for_.load(std::memory_order_relaxed)) {
    return what;
  }
  const slot* const mine = place_.load(std::memory_order_acquire);  // CN3
  return mine != nullptr && mine->look().at == slot::state::link ? "its children" : nullptr;
}

void strand_node::walk_below(worker_core& here) noexcept {
  if (slot* const mine = place_.load(std::memory_order_seq_cst)) {  // CN3 S3
    walk::from(*mine, here);
  }
}

}  // namespace coppice::inline v0::detail
