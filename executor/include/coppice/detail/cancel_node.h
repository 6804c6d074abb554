// A node of the supervision tree: what running code polls, and what waits registers with.
//
// Two kinds. What stands under a strand_node runs as one sequence, so one slot serves all its waits, one after the
// other; a task is such a node, and so is a scope without children of its own. Under a branch_node several things
// run and wait side by side: it keeps a set of slots.
//
// A cancel sets the node's flag and moves the executor's epoch. Running code sees the epoch moved and asks its node,
// which asks those above it; the answer is kept with the epoch. What waits is found by a walk through the slots. So
// that a walk from above comes by, a node is linked: its slot, or its set, lies in the set of the branch above, and
// that one's likewise. This is done when the first below it waits, and not before: opening a branch writes to
// nothing that is shared.
//
// Invariants
//   CN1  A node outlives everything that runs or waits below it.
//   CN2  Who has begun to link a node looks at the epoch when all is linked, and if it has moved since, walks what
//        it has linked: others that came meanwhile relied on it, and a walk from above may have passed before.
//
// Orderings
//   E1  cancel() sets a node's flag, then moves the executor's epoch; a poll reads the epoch, and only then the
//       flags: who sees the epoch moved sees the flag.
//   CN3  A strand's slot is published once made.
#pragma once

#include <coppice/cancel.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/scope_state.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/slot_set.h>

#include <cstdint>

namespace coppice::inline v0::detail {

class branch_node;
class executor_core;
class strand_node;
class outcome_cell;
class reason_block;
class worker_core;

// The executor's count of cancel requests. Even: its lowest bit is free for a node's answer.
using epoch = std::uint64_t;
inline constexpr epoch epoch_step = 2;

class COPPICE_EXPORT cancel_node {
 public:
  cancel_node(const cancel_node&) = delete;
  cancel_node& operator=(const cancel_node&) = delete;

  // True if a poll at this epoch has already found that nobody above asked to stop: one compare.
  bool clear_at(epoch now) const noexcept { return seen_.load(std::memory_order_relaxed) == now; }

  // Is what runs here asked to stop? Walks up the tree only if the epoch moved since the last look.
  bool cancelled_at(epoch now) noexcept {
    const epoch seen = seen_.load(std::memory_order_relaxed);
    return (seen & ~epoch{1}) == now ? (seen & 1) != 0 : poll(now);
  }

  // Null at the root.
  cancel_node* parent() const noexcept { return parent_; }

  // Was the request made of this very node?
  bool requested() const noexcept { return state_.requested(); }

  // Registers a wait, which dumps call `what`: gives it a slot, which the caller arms and publishes. From here
  // until withdraw() whoever asks the node to stop, or one above it, finds the wait. Worker only. Throws
  // std::bad_alloc.
  virtual slot& enroll(worker_core& here, const char* what) = 0;

  // Takes the slot back when the wait is over. Worker only.
  virtual void withdraw(slot& over, worker_core& here) noexcept = 0;

  // The wait that is going on shall be called so.
  virtual void describe(const char* /*what*/) noexcept {}

  // Why cancelled_at() said yes.
  cancel_reason reason() const noexcept;

  // The task whose code runs under this node; null for code that belongs to none.
  virtual outcome_cell* task() const noexcept {
    return parent_ != nullptr ? parent_->task() : nullptr;
  }

 protected:
  friend class branch_node;
  friend class strand_node;

  explicit cancel_node(cancel_node* parent = nullptr, epoch seen = 0) noexcept
      : seen_(seen), parent_(parent) {}
  ~cancel_node() = default;

  // Looks again, at this node and all above it, and remembers the answer for `now`, which was read before.
  virtual bool poll(epoch now) noexcept;

  void remember(epoch now, bool cancelled) noexcept {
    seen_.store(now | epoch{cancelled}, std::memory_order_relaxed);
  }

  // The reason of its own request. Borrowed for the life of the node.
  virtual const reason_block* own_reason() const noexcept { return nullptr; }

  // A slot through which the sets of branches directly below are found, held for the caller. Worker only. Throws
  // std::bad_alloc.
  virtual slot& entry(worker_core& here) = 0;
  virtual void leave_entry(slot& entry, worker_core& here) noexcept = 0;

  // The nearest branch, which may be itself; null if there is none.
  virtual branch_node* branch_above() noexcept;

  // Itself, if it is one.
  virtual strand_node* strand() noexcept { return nullptr; }

 private:
  // The epoch of the last look, and in the lowest bit what it found. Any worker that runs code below; all
  // of them write the truth of some moment at or after the epoch they write.
  atomic<epoch> seen_;
  cancel_node* const parent_;

 protected:
  scope_state state_;
};

class COPPICE_EXPORT branch_node : public cancel_node {
 public:
  explicit branch_node(cancel_node* parent, epoch seen) noexcept : cancel_node(parent, seen) {}

  // A root.
  branch_node() noexcept { static_cast<void>(state_.begin_link()); }

  slot& enroll(worker_core& here, const char* what) override;
  void withdraw(slot& over, worker_core& here) noexcept override;

  // Everything below has ended. Once; `here` is null on a thread that is no worker, and the node then the root.
  void close(worker_core* here) noexcept {
    if (slots_.first() != nullptr) [[unlikely]] {
      close_slots(here);
    }
  }

  // Stops those below that wait and are asked to stop.
  void walk_below(worker_core& here) noexcept;

 protected:
  ~branch_node() = default;
  slot& entry(worker_core& here) override { return slots_.take(&here); }
  void leave_entry(slot& entry, worker_core&) noexcept override { entry.release(); }
  branch_node* branch_above() noexcept override { return this; }

 private:
  friend class strand_node;

  void link(worker_core& here);
  void close_slots(worker_core* here) noexcept;
  void unlink(worker_core& here) noexcept;

  slot_set slots_;
  slot* link_;  // Whoever links it; until then unwritten.
};

class COPPICE_EXPORT strand_node : public cancel_node {
 public:
  explicit strand_node(cancel_node* parent = nullptr, epoch seen = 0) noexcept
      : cancel_node(parent, seen),
        outermost_(parent != nullptr && parent->strand() != nullptr ? parent->strand()->outermost_
                                                                    : this) {}

  slot& enroll(worker_core& here, const char* what) override;
  void withdraw(slot& over, worker_core& here) noexcept override;
  void describe(const char* what) noexcept override {
    outermost_->waits_for_.store(what, std::memory_order_relaxed);
  }

  // Its slot, of which there is one for all strands that lie in one another. Worker only. Throws std::bad_alloc.
  slot& place(worker_core& here);

  // What is below waits for; null if it waits for nothing. Static text. Any thread.
  const char* waiting_for() const noexcept;

  // Everything below has ended. Once, on a worker.
  void close(worker_core& here) noexcept {
    if (place_.load(std::memory_order_relaxed) != nullptr) {
      close_place(here);
    }
  }

  // Stops what waits below, if it is asked to.
  void walk_below(worker_core& here) noexcept;

 protected:
  ~strand_node() = default;
  slot& entry(worker_core& here) override { return place(here); }
  void leave_entry(slot&, worker_core&) noexcept override {}
  strand_node* strand() noexcept override { return this; }

 private:
  slot& make_place(worker_core& here);
  void link(worker_core& here);
  void close_place(worker_core& here) noexcept;

  strand_node* const outermost_;            // Of those that lie in one another.
  atomic<slot*> place_{nullptr};            // Whoever registers first.
  atomic<const char*> waits_for_{nullptr};  // The outermost's: what waits below. Dumps read it.
};

}  // namespace coppice::inline v0::detail
