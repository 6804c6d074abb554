// The slots of the process.
#include "executor/slots.h"

#include "executor/process_locks.h"

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

namespace {

constexpr std::size_t slots_at_a_time = 252;

struct reserve {
  std::mutex& mutex = mutex_of(process_lock::slots);
  slot* empty = nullptr;  // Under the lock, as all here.
  // Keeps what was made reachable, for leak checkers.
  std::vector<std::unique_ptr<std::array<slot, slots_at_a_time>>> made;

  static reserve& instance() {
    static auto* const only = new reserve;  // Never destroyed: see slot_reserve.
    return *only;
  }
};

}  // namespace

slot* slot_reserve::take() {
  reserve& all = reserve::instance();
  const std::lock_guard lock(all.mutex);
  if (all.empty != nullptr) {
    return std::exchange(all.empty, nullptr);
  }
  auto fresh = std::make_unique<std::array<slot, slots_at_a_time>>();
  slot* first = nullptr;
  for (slot& each : *fresh) {
    each.link(first);
    first = &each;
  }
  all.made.push_back(std::move(fresh));
  return first;
}

void slot_reserve::give_back(slot* first) noexcept {
  if (first == nullptr) {
    return;
  }
  slot* last = first;
  while (last->link() != nullptr) {
    last = last->link();
  }
  reserve& all = reserve::instance();
  const std::lock_guard lock(all.mutex);
  last->link(all.empty);
  all.empty = first;
}

}  // namespace coppice::inline v0::detail
