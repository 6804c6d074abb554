#include <coppice/detail/gate.h>

#include <utility>

namespace coppice::inline v0::detail {

// Opening it again releases as well.
void gate::open() noexcept {
  state before = state_.load(std::memory_order_relaxed);
  while (before != state::awaited) {
    if (state_.compare_exchange_weak(before, state::open, std::memory_order_release,  // GA1
                                     std::memory_order_relaxed)) {
      return;
    }
  }
  std::unique_lock lock(place_.mutex);
  static_cast<void>(state_.exchange(state::open, std::memory_order_acq_rel));  // GA1
  place_.release_all(std::move(lock));
}

// Who closes it and then looks whether there is anything to do sees what those did who had opened it.
void gate::close() noexcept {
  state before = state::open;
  static_cast<void>(state_.compare_exchange_strong(before, state::closed,
                                                   std::memory_order_acquire,  // GA1
                                                   std::memory_order_relaxed));
}

void gate::passer::arm(const ticket& wait, worker_core& here) noexcept {
  const std::lock_guard lock(through_.place_.mutex);
  state before = state::closed;
  if (!through_.state_.compare_exchange_strong(before, state::awaited, std::memory_order_relaxed,
                                               std::memory_order_acquire) &&  // GA1
      before == state::open) {
    static_cast<void>(serve_itself(wait));
  } else {
    through_.place_.waiters.add(*this, wait, here);
  }
}

void gate::passer::disarm() noexcept {
  if (const auto lock = leave(through_.place_.mutex)) {
    if (through_.place_.waiters.empty()) {
      state before = state::awaited;
      static_cast<void>(through_.state_.compare_exchange_strong(
          before, state::closed, std::memory_order_relaxed, std::memory_order_relaxed));
    }
  }
}

}  // namespace coppice::inline v0::detail
