// The node of the supervision tree as the executor sees it: something a suspension registers with, and
// running code polls.
//
// Orderings
//   E1  cancel() sets a node's flag, then moves the executor's epoch; a poll reads the epoch, and only then
//       the flags: who sees the epoch moved sees the flag.
#pragma once

#include <coppice/cancel.h>
#include <coppice/detail/atomic.h>

#include <cstdint>

namespace coppice::inline v0::detail {

class executor_core;
class slot;
class outcome_cell;
class suspension;
class worker_core;

// The executor's count of cancel requests. Even: its lowest bit is free for a node's answer.
using epoch = std::uint64_t;
inline constexpr epoch epoch_step = 2;

// Supervision owns the nodes. A node outlives everything that runs or waits below it.
class cancel_node {
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

  // Registers a suspension: gives it a slot, which the caller arms and publishes. From here until withdraw()
  // a cancel of this node may claim the slot. Worker only. Throws std::bad_alloc.
  virtual void enroll(suspension& waiting, worker_core& here) = 0;

  // Takes the slot back from a suspension that is over. Worker only.
  virtual void withdraw(suspension& over, worker_core& here) noexcept = 0;

  // Why cancelled_at() said yes.
  virtual cancel_reason reason() const noexcept = 0;

  // The task whose code runs under this node; null for code that belongs to none.
  virtual outcome_cell* task() const noexcept = 0;

 protected:
  cancel_node() noexcept = default;
  explicit cancel_node(epoch seen) noexcept : seen_(seen) {}
  ~cancel_node() = default;

  // Looks again, at this node and all above it, and remembers the answer for `now`, which was read before.
  virtual bool poll(epoch now) noexcept = 0;

  void remember(epoch now, bool cancelled) noexcept {
    seen_.store(now | epoch{cancelled}, std::memory_order_relaxed);
  }

 private:
  // The epoch of the last look, and in the lowest bit what it found. Any worker that runs code below; all
  // of them write the truth of some moment at or after the epoch they write.
  atomic<epoch> seen_{0};
};

}  // namespace coppice::inline v0::detail
