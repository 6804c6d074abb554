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
//   CN1  A node outlives everything that runs or waits below it; one that may be left to the root has to be passed
//        within a climb (climb.h), for the nodes above it may go before it does.
//   CN2  Who has begun to link a node looks at the epoch when all is linked, and if it has moved since, walks what
//        it has linked: others that came meanwhile relied on it, and a walk from above may have passed before.
//
// Orderings
//   E1  cancel() sets a node's flag, then moves the executor's epoch; a poll reads the epoch, and only then the
//       flags: who sees the epoch moved sees the flag.
//   CN3  A strand's slot is published once made.
//   CN4  Who waits says since when, then what for: who reads the latter sees a time that is not older.
#pragma once

#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/executor_link.h>
#include <coppice/detail/export.h>
#include <coppice/detail/scope_state.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/slot_set.h>

#include <cstdint>
#include <optional>
#include <string>

namespace coppice::inline v0 {
struct error_report;
}  // namespace coppice::inline v0

namespace coppice::inline v0::detail {

class binding_ref;
class branch_node;
class climb;
class executor_core;
class strand_node;
class outcome_cell;
class reason_block;
class scope_core;
class token_place;
class worker_core;

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
  cancel_node* parent() const noexcept { return parent_.load(std::memory_order_seq_cst); }  // CB1

  // Was the request made of this very node?
  bool requested() const noexcept { return state_.requested(); }

  // Sets the flag, behind the reason; true for the first. The epoch is to be moved, and what waits below walked to.
  bool request() noexcept { return state_.request(); }

  // The next to look asks again, at whatever epoch.
  void forget() noexcept { seen_.store(0, std::memory_order_relaxed); }

  // The code that stands directly under the node. The epoch is to be moved, and if requests from above are let in
  // again what waits below walked to.
  void shield(bool on) noexcept;
  bool shielded() const noexcept { return state_.shielded(); }

  // The node is about to go, and no shield of its task's any more.
  void end_shield() noexcept;

  // Registers a wait, which dumps call `what`: gives it a slot, which the caller arms and publishes. From here
  // until withdraw() whoever asks the node to stop, or one above it, finds the wait. Worker only. Throws
  // std::bad_alloc.
  virtual slot& enroll(worker_core& here, const char* what) = 0;

  // Takes the slot back when the wait is over. Worker only.
  virtual void withdraw(slot& over, worker_core& here) noexcept = 0;

  // The wait that is going on shall be called so.
  virtual void describe(const char* /*what*/) noexcept {}

  // Stops those below that wait and are asked to stop. On a worker.
  virtual void walk_below(worker_core& /*here*/) noexcept {}

  // Why cancelled_at() said yes. Not once the node has been closed, for those above may be gone.
  cancel_reason reason() const noexcept;

  // The node is about to be closed: shall know itself why it was asked to stop, if it was.
  void keep_reason() noexcept {
    if ((seen_.load(std::memory_order_relaxed) & 1) != 0 && known_reason() == nullptr) {
      learn_from_above();
    }
  }

  // The task whose code runs under this node; null for code that belongs to none.
  virtual outcome_cell* task() const noexcept {
    cancel_node* const above = parent();
    return above != nullptr ? above->task() : nullptr;
  }

  // Is it the node of a task?
  bool is_task() const noexcept { return state_.is() == scope_state::what::task; }

  // Whether what waits immediately below it stops is decided by one branch: the one in whose set its slot lies. For
  // neither a task's node nor a branch stands between them, and a task's is never shielded. Null: it is not so.
  cancel_node* decides_directly() noexcept {
    switch (state_.is()) {
      case scope_state::what::task:
        return parent();
      case scope_state::what::branch:
        return this;
      default:
        return nullptr;
    }
  }

  // What else a node may be, of those above one that lives. Each is null, or never, where it is not.
  virtual scope_core* scope() noexcept { return nullptr; }    // A scope that users know.
  virtual token_place* tokens() noexcept { return nullptr; }  // Where tokens of it are made ...
  virtual bool ended() const noexcept { return false; }  // ... and whether those still look at it.
  virtual const binding_ref* bindings() const noexcept {
    return nullptr;
  }  // Where task_locals are bound.
  virtual time_point deadline() const noexcept { return time_point::max(); }

  // Hears of a failure that nobody below took, if it wants to: then true. What it throws is for the next above.
  virtual bool hear(const error_report& /*report*/) { return false; }

  // For reports: its name, or what it is. Empty for what users do not know.
  virtual std::string label() const { return {}; }

 protected:
  friend class branch_node;
  friend class strand_node;

  explicit cancel_node(cancel_node* parent = nullptr, epoch seen = 0,
                       scope_state::what is = scope_state::what::other) noexcept
      : seen_(seen), parent_(parent), state_(is) {}
  ~cancel_node() = default;

  // Looks again, at this node and all above it, and remembers the answer for `now`, which was read before.
  virtual bool poll(epoch now) noexcept;

  // Written only if new: all that is stopped below one scope asks it.
  void remember(epoch now, bool cancelled) noexcept {
    const epoch answer = now | epoch{cancelled};
    if (seen_.load(std::memory_order_relaxed) != answer) {
      seen_.store(answer, std::memory_order_relaxed);
    }
  }

  // The reason of its own request or, if it was told, of that above which reaches it. Borrowed for the life of the
  // node; null if it knows of none.
  virtual const reason_block* known_reason() const noexcept { return nullptr; }

  // It has been asked at this epoch, and its shield keeps out what may have been requested above. Any thread.
  virtual void kept_out(epoch /*now*/) noexcept {}

  // A request above reaches it, for this reason. Any number of times.
  virtual void learn(const reason_block& /*why*/) noexcept {}

  // A slot through which the sets of branches directly below are found, held for the caller. Worker only. Throws
  // std::bad_alloc.
  virtual slot& entry(worker_core& here) = 0;
  virtual void leave_entry(slot& entry, worker_core& here) noexcept = 0;

  // The nearest branch, which may be itself; null if there is none.
  virtual branch_node* branch_above() noexcept;

  // Itself, if it is one.
  virtual strand_node* strand() noexcept { return nullptr; }

  // So far up the reason lies; null if there is none.
  struct found_reason {
    const reason_block* why = nullptr;
    std::uint32_t levels = 0;
  };
  found_reason find_reason() const noexcept;

 private:
  static constexpr std::uint32_t levels_between_reasons = 16;

  cancel_node* overriding_above(std::optional<climb>& above_left) noexcept;
  void learn_from_above() noexcept;

  // The epoch of the last look, and in the lowest bit what it found. Any worker that runs code below; all
  // of them write the truth of some moment at or after the epoch they write.
  atomic<epoch> seen_;
  atomic<cancel_node*> parent_;  // Constant, but for branch_node::leave_to().

 protected:
  scope_state state_;
};

class COPPICE_EXPORT branch_node : public cancel_node {
 public:
  branch_node(cancel_node* parent, epoch seen) noexcept
      : cancel_node(parent, seen, scope_state::what::branch) {}

  // A root.
  branch_node() noexcept : branch_node(nullptr, 0) { static_cast<void>(state_.begin_link()); }

  slot& enroll(worker_core& here, const char* what) override;
  void withdraw(slot& over, worker_core& here) noexcept override;

  // Linked into the nearest branch above itself, and not where the strand between them waits, which goes on doing so.
  // Before anything waits below.
  void stand_apart() noexcept;

  // It may be left to the root while something lives below it. Before anything does.
  void may_be_left() noexcept { state_.may_be_left(); }

  // A node that may be left and has been asked to stop: from here on it stands below the root, and nobody below knows
  // of what was above. Waits for those that are just looking there. On a worker, from its loop. Once.
  void leave_to(cancel_node& root, worker_core& here) noexcept;

  // Has anything below it linked itself?
  bool used() const noexcept { return slots_.first() != nullptr; }

  // Everything below has ended. Once; `here` is null on a thread that is no worker, and the node then the root.
  void close(worker_core* here) noexcept {
    if (used()) [[unlikely]] {
      close_slots(here);
    }
  }

  void walk_below(worker_core& here) noexcept override;

 protected:
  ~branch_node() = default;
  slot& entry(worker_core& here) override { return slots_.take(&here); }
  void leave_entry(slot& entry, worker_core&) noexcept override { entry.release(); }
  branch_node* branch_above() noexcept override { return this; }

 private:
  friend class strand_node;

  cancel_node& link_host() noexcept;
  void link(worker_core& here);
  slot_chunk* link_upwards(worker_core& here);
  void close_slots(worker_core* here) noexcept;
  void unlink(worker_core& here) noexcept;

  slot_set slots_;
  slot* link_;  // Whoever links it; until then unwritten.
};

class COPPICE_EXPORT strand_node : public cancel_node {
 public:
  explicit strand_node(cancel_node* parent = nullptr, epoch seen = 0,
                       scope_state::what is = scope_state::what::other) noexcept
      : cancel_node(parent, seen, is),
        outermost_(parent != nullptr && parent->strand() != nullptr ? parent->strand()->outermost_
                                                                    : this),
        told_(outermost_ == this ? this : outermost_->told_) {}

  // One that is shielded for good, against every request, and waits while a wait of the strand around it has not been
  // taken back: its slot is another, which requests of that strand do not lead to.
  struct apart {};
  strand_node(cancel_node* parent, epoch seen, apart) noexcept
      : cancel_node(parent, seen),
        outermost_(this),
        told_(parent != nullptr && parent->strand() != nullptr ? parent->strand()->told_ : this) {
    state_.be_unyielding();
    shield(true);
  }

  slot& enroll(worker_core& here, const char* what) override;
  void withdraw(slot& over, worker_core& here) noexcept override;
  void describe(const char* what) noexcept override {
    told_->waits_for_.store(what, std::memory_order_release);  // CN4
  }

  // Its slot, of which there is one for all strands that lie in one another. Worker only. Throws std::bad_alloc.
  slot& place(worker_core& here);

  // What is below waits for; null if it waits for nothing. Static text. Any thread.
  const char* waiting_for() const noexcept;

  // Since when, by the clock of its worker's loop; meaningful if it waits for something. Any thread.
  time_point waiting_since() const noexcept { return since_.load(std::memory_order_relaxed); }

  // Everything below has ended. Once, on a worker.
  void close(worker_core& here) noexcept {
    if (place_.load(std::memory_order_relaxed) != nullptr) {
      close_place(here);
    }
  }

  void walk_below(worker_core& here) noexcept override;

 protected:
  ~strand_node() = default;
  slot& entry(worker_core& here) override;
  void leave_entry(slot&, worker_core&) noexcept override {}
  strand_node* strand() noexcept override { return this; }

 private:
  friend class branch_node;

  cancel_node* place_host() const noexcept;
  slot& make_place(worker_core& here);
  void link(worker_core& here);
  void close_place(worker_core& here) noexcept;

  strand_node* const outermost_;            // Of those that lie in one another.
  strand_node* const told_;                 // The same, or that around those that stand apart.
  atomic<slot*> place_{nullptr};            // The outermost's: whoever registers first.
  atomic<const char*> waits_for_{nullptr};  // told_'s: what waits below. Dumps read it.
  atomic<time_point> since_{
      time_point()};  // told_'s: whoever waits there, or links the first branch.
};

}  // namespace coppice::inline v0::detail
