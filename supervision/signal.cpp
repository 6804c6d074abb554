#include <coppice/detail/signal.h>

#include <coppice/detail/suspension.h>
#include <coppice/detail/worker_core.h>

#include <utility>

namespace coppice::inline v0::detail {

// Under the lock, since a waiter that is stopped meanwhile takes its ticket back under it.
void signal::set() noexcept {
  const std::lock_guard lock(mutex_);
  if (std::exchange(set_, true) || !waiting_) {
    return;
  }
  const ticket wait = std::exchange(waiting_, {});
  if (wait.claim() == claim_result::won) {
    wait.at->waiter().resume();
  }
}

bool signal::is_set() const noexcept {
  const std::lock_guard lock(mutex_);
  return set_;
}

void signal::clear() noexcept {
  const std::lock_guard lock(mutex_);
  set_ = false;
}

void signal::source::arm(const ticket& wait, worker_core& /*here*/) {
  const std::lock_guard lock(of_.mutex_);
  if (of_.set_) {
    static_cast<void>(wait.claim());
  } else {
    of_.waiting_ = wait;
  }
}

void signal::source::disarm() noexcept {
  const std::lock_guard lock(of_.mutex_);
  of_.waiting_ = {};
}

}  // namespace coppice::inline v0::detail
