// Looking up the tree, and making what is below visible from above.
#include <coppice/detail/cancel_node.h>

#include <coppice/detail/climb.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/reason_block.h>
#include <coppice/detail/worker_core.h>

#include <cassert>
#include <optional>

namespace coppice::inline v0::detail {

// Up to a node that knows, or that itself is asked to stop, or shielded. All on the way have the same answer. Why, is
// written down by who asks and by some of those above, so that it is never far.
bool cancel_node::poll(epoch now) noexcept {
  bool cancelled = false;
  std::optional<climb> above_left;
  cancel_node* top = this;
  std::uint32_t levels = 0;
  for (;; ++levels) {
    const epoch seen = top->seen_.load(std::memory_order_relaxed);
    if ((seen & ~epoch{1}) == now) {
      cancelled = (seen & 1) != 0;
      break;
    }
    if (!top->state_.transparent()) {
      cancelled = top->state_.requested();
      if (!cancelled) {
        if (cancel_node* const above = top->overriding_above(above_left)) {
          top = above;
          cancelled = true;
        } else {
          top->kept_out(now);
        }
      }
      break;
    }
    if (!above_left && top->state_.leavable()) {
      above_left.emplace();
    }
    cancel_node* const above = top->parent();
    if (above == nullptr) {
      break;
    }
    top = above;
  }
  const found_reason known = cancelled ? top->find_reason() : found_reason();
  levels += known.levels;
  for (cancel_node* each = this;; each = each->parent(), --levels) {
    if (known.why != nullptr &&
        (each == this || levels % levels_between_reasons == 0 || each->state_.leavable())) {
      each->learn(*known.why);
    }
    each->remember(now, cancelled);
    if (each == top) {
      return cancelled;
    }
  }
}

// The nearest above that asks what is shielded as well; null if there is none.
cancel_node* cancel_node::overriding_above(std::optional<climb>& above_left) noexcept {
  cancel_node* each = this;
  while (each != nullptr && !each->state_.overrides_shields()) {
    if (each->state_.unyielding()) {
      return nullptr;
    }
    if (!above_left && each->state_.leavable()) {
      above_left.emplace();
    }
    each = each->parent();
  }
  return each;
}

// Of nodes that have been asked one in so many knows; so this does not go far, and not past one that may be left, for
// that knows, or has been asked itself when it is left.
cancel_node::found_reason cancel_node::find_reason() const noexcept {
  found_reason found;
  for (const cancel_node* each = this; each != nullptr; each = each->parent()) {
    found.why = each->known_reason();
    if (found.why != nullptr) {
      break;
    }
    ++found.levels;
  }
  return found;
}

void cancel_node::learn_from_above() noexcept {
  if (const reason_block* const why = find_reason().why) {
    learn(*why);
  }
}

cancel_reason cancel_node::reason() const noexcept {
  return reason_access::share(find_reason().why);
}

void cancel_node::shield(bool on) noexcept {
  outcome_cell* const shielded = state_.shield(on) ? task() : nullptr;
  if (shielded != nullptr) {
    shielded->node().count_shield(on ? 1 : -1);
  }
}

void cancel_node::end_shield() noexcept {
  outcome_cell* const shielded = state_.shielded() ? task() : nullptr;
  if (shielded != nullptr) {
    shielded->node().count_shield(-1);
  }
}

branch_node* cancel_node::branch_above() noexcept {
  cancel_node* const above = parent();
  return above != nullptr ? above->branch_above() : nullptr;
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

void branch_node::stand_apart() noexcept {
  state_.stand_apart();
  if (strand_node* const strand = parent()->strand()) {
    strand->outermost_->state_.stand_apart();
  }
}

// In whose slots it is linked.
cancel_node& branch_node::link_host() noexcept {
  cancel_node& above = *parent();
  if (!state_.apart()) {
    return above;
  }
  branch_node* const branch = above.branch_above();
  assert(branch != nullptr);  // The root is one.
  return *branch;
}

// From below upwards, as far as others have not come before. The topmost may be gone when it is walked; its chunks
// are not.
void branch_node::link(worker_core& here) {
  const epoch before = here.cancel_epoch->load(std::memory_order_seq_cst);  // S3
  slot_chunk* topmost = nullptr;
  {
    const climb upwards;
    topmost = link_upwards(here);
  }
  if (topmost != nullptr && here.cancel_epoch->load(std::memory_order_seq_cst) != before) {  // S3
    walk::from(*topmost, here);
  }
}

// Returns where the slots of the topmost begin that it has linked.
slot_chunk* branch_node::link_upwards(worker_core& here) {
  slot_chunk* topmost = nullptr;
  branch_node* each = this;
  try {
    while (each != nullptr && !each->state_.linked() && each->parent() != nullptr) {
      slot& at = each->link_host().entry(here);
      if (!each->state_.begin_link()) {
        each->link_host().leave_entry(at, here);
        break;
      }
      each->link_ = &at;
      topmost = each->slots_.first();
      at.link(*topmost);
      each = each->parent()->branch_above();
    }
  } catch (...) {
    // Without memory for the rest, so that the next to register shall try again.
    for (branch_node* linked = this; linked != each; linked = linked->parent()->branch_above()) {
      linked->unlink(here);
    }
    throw;
  }
  return topmost;
}

// First nobody links it any more, then nobody who is on the way looks at what was above.
void branch_node::leave_to(cancel_node& root, worker_core& here) noexcept {
  state_.leave();
  climb::wait_for_all();
  if (state_.holds_link()) {
    unlink(here);
  }
  parent_.store(&root, std::memory_order_seq_cst);  // CB1
  climb::wait_for_all();
}

void branch_node::walk_below(worker_core& here) noexcept {
  if (slot_chunk* const first = slots_.first()) {
    walk::from(*first, here);
  }
}

void branch_node::close_slots(worker_core* here) noexcept {
  if (parent() != nullptr && state_.holds_link()) {
    unlink(*here);
  }
  slots_.close(here);
}

void branch_node::unlink(worker_core& here) noexcept {
  link_->unlink();
  link_host().leave_entry(*link_, here);
  state_.unlink();
}

slot& strand_node::enroll(worker_core& here, const char* what) {
  slot& mine = place(here);
  if (!state_.linked()) {
    link(here);
  }
  told_->since_.store(here.loop_time, std::memory_order_relaxed);
  describe(what);
  return mine;
}

slot& strand_node::entry(worker_core& here) {
  told_->since_.store(here.loop_time, std::memory_order_relaxed);
  return place(here);
}

void strand_node::withdraw(slot& over, worker_core& /*here*/) noexcept {
  describe(nullptr);
  over.rest();
}

slot& strand_node::place(worker_core& here) {
  slot* const made = outermost_->place_.load(std::memory_order_acquire);  // CN3
  return made != nullptr ? *made : outermost_->make_place(here);
}

// Among whose slots its own is; null if that is by itself.
cancel_node* strand_node::place_host() const noexcept {
  const bool stands_apart =
      outermost_ == this && parent() != nullptr && parent()->strand() != nullptr;
  return stands_apart ? parent()->branch_above() : parent();
}

// Two children of one fork may come here at once.
slot& strand_node::make_place(worker_core& here) {
  cancel_node* const host = place_host();
  slot& fresh = host != nullptr ? host->entry(here) : here.take_slot();
  slot* made = nullptr;
  if (place_.compare_exchange_strong(made, &fresh, std::memory_order_acq_rel,  // CN3
                                     std::memory_order_acquire)) {             // CN3
    return fresh;
  }
  if (host != nullptr) {
    host->leave_entry(fresh, here);
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
  if (cancel_node* const host = place_host()) {
    host->leave_entry(done, here);
  } else {
    done.release();
    here.give_slot(done);
  }
}

const char* strand_node::waiting_for() const noexcept {
  if (const char* const what = waits_for_.load(std::memory_order_acquire)) {  // CN4
    return what;
  }
  const slot* const mine = place_.load(std::memory_order_acquire);  // CN3
  return mine != nullptr && mine->look().at == slot::state::link ? "its children" : nullptr;
}

// Branches that stand apart are among those of the branch above.
void strand_node::walk_below(worker_core& here) noexcept {
  if (outermost_->state_.apart()) {
    branch_above()->walk_below(here);
    return;
  }
  if (slot* const mine = outermost_->place_.load(std::memory_order_seq_cst)) {  // CN3 S3
    walk::from(*mine, here);
  }
}

}  // namespace coppice::inline v0::detail
