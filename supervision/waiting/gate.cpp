#include <coppice/detail/gate.h>

#include <utility>

namespace coppice::inline v0::detail {

// Without the lock: where it is awaited nobody has opened it, and no call but that of open() may last until now.
gate::~gate() {
  if (state_.load(std::memory_order_relaxed) == state::awaited && tickets_.someone_waits()) {
    end_of_waiting_place(place_.what());
  }
}

// Opening it again releases as well. Behind the lock the gate may be gone.
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
  ticket_queue passing(std::move(tickets_));
  place_.release_all(std::move(lock));
  passing.end_all();
}

// Who closes it and then looks whether there is anything to do sees what those did who had opened it.
void gate::close() noexcept {
  state before = state::open;
  static_cast<void>(state_.compare_exchange_strong(before, state::closed,
                                                   std::memory_order_acquire,  // GA1
                                                   std::memory_order_relaxed));
}

bool gate::begin_waiting() noexcept {
  state before = state::closed;
  return state_.compare_exchange_strong(before, state::awaited, std::memory_order_relaxed,
                                        std::memory_order_acquire) ||  // GA1
         before == state::awaited;
}

void gate::add(const ticket& wait) {
  const std::lock_guard lock(place_.mutex);
  if (begin_waiting()) {
    tickets_.add(wait);
  } else {
    static_cast<void>(wait.claim());
  }
}

void gate::part::arm(const ticket& wait, worker_core& here) noexcept {
  const std::lock_guard lock(through_.place_.mutex);
  if (through_.begin_waiting()) {
    through_.place_.waiters.add(*this, wait, here);
  } else {
    static_cast<void>(serve_itself(wait));
  }
}

void gate::part::disarm() noexcept {
  static_cast<void>(leave(through_.place_.mutex));
}

}  // namespace coppice::inline v0::detail
