// How workers show the walks that they have begun, and join those of others.
#include "executor/executor_core.h"
#include "executor/worker.h"

#include <coppice/detail/slot_set.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace coppice::inline v0::detail {

bool worker_core::share_walk(slot_chunk& first, std::uint64_t walk, bool wake) noexcept {
  auto& here = static_cast<worker&>(*this);
  if (home.workers.size() == 1 || home.still != nullptr || here.bag_ != nullptr ||
      here.shared_set_.load(std::memory_order_relaxed) != nullptr) {
    return false;
  }
  here.shared_walk_.store(walk, std::memory_order_relaxed);
  here.shared_set_.store(&first, std::memory_order_release);  // W2
  home.share_walk();
  if (wake) {
    home.wake_if_wanted();
  }
  return true;
}

void worker_core::end_sharing() noexcept {
  static_cast<worker&>(*this).shared_set_.store(nullptr, std::memory_order_relaxed);
  home.end_sharing();
}

// Once each, and none that is older than one it has joined: who has been through a walk's chunks finds nothing there
// any more.
bool worker::can_join(const worker& other) const noexcept {
  return &other != this && other.shared_set_.load(std::memory_order_acquire) != nullptr &&  // W2
         other.shared_walk_.load(std::memory_order_relaxed) > joined_walk_;
}

bool worker::walk_to_join() const noexcept {
  return home.walk_in_sight() && std::any_of(home.workers.begin(), home.workers.end(),
                                             [this](const auto& each) { return can_join(*each); });
}

// The oldest.
job* worker::join_walk() noexcept {
  if (!home.walk_in_sight()) {
    return nullptr;
  }
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (const auto& each : home.workers) {
    slot_chunk* const set = each->shared_set_.load(std::memory_order_acquire);  // W2
    const std::uint64_t walk = each->shared_walk_.load(std::memory_order_relaxed);
    if (set != nullptr && walk < oldest && can_join(*each)) {
      joined_set_ = set;
      oldest = walk;
    }
  }
  if (oldest == std::numeric_limits<std::uint64_t>::max()) {
    return nullptr;
  }
  joined_walk_ = oldest;
  return &walking_along_;
}

void worker::walk_along(job&, worker_core& here) noexcept {
  auto& mine = static_cast<worker&>(here);
  if (!walk::join(*mine.joined_set_, mine.joined_walk_, here)) {
    --mine.joined_walk_;  // It may come again.
  }
}

}  // namespace coppice::inline v0::detail
