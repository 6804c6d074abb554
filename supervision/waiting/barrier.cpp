#include <coppice/barrier.h>

#include <coppice/error.h>

#include <string>
#include <utility>

namespace coppice::inline v0 {

async_barrier::async_barrier(std::ptrdiff_t count)
    : place_("an async_barrier"), parties_(count), missing_(count) {
  if (count < 0) {
    throw usage_error("async_barrier of " + std::to_string(count) +
                      " parties: there cannot be less than none");
  }
}

void async_barrier::require_parties(const char* call) const {
  if (parties_ == 0) {
    throw usage_error(std::string(call) +
                      " at an async_barrier that has no parties: all have dropped out, or it was "
                      "made for none");
  }
}

// The last has arrived.
void async_barrier::end_phase(std::unique_lock<std::mutex> lock) noexcept {
  missing_ = parties_;
  ++phase_;
  place_.release_all(std::move(lock));
}

void async_barrier::arrive_and_drop() {
  std::unique_lock lock(place_.mutex);
  require_parties("arrive_and_drop()");
  --parties_;
  if (missing_ == 1) {
    end_phase(std::move(lock));
  } else {
    --missing_;
  }
}

namespace detail {

// Only the last takes effect at once.
bool barrier_source::ready() {
  std::unique_lock lock(at_.place_.mutex);
  at_.require_parties("arrive_and_wait()");
  if (at_.missing_ != 1) {
    return false;
  }
  at_.end_phase(std::move(lock));
  return true;
}

void barrier_source::arm(const ticket& wait, worker_core& here) {
  std::unique_lock lock(at_.place_.mutex);
  at_.require_parties("arrive_and_wait()");
  if (at_.missing_ == 1) {
    at_.end_phase(std::move(lock));
    static_cast<void>(wait.claim());
    return;
  }
  --at_.missing_;
  phase_ = at_.phase_;
  at_.place_.waiters.add(*this, wait, here);
}

void barrier_source::disarm() noexcept {
  const auto lock = leave(at_.place_.mutex);
  if (lock && phase_ == at_.phase_) {
    ++at_.missing_;
  }
}

}  // namespace detail
}  // namespace coppice::inline v0
