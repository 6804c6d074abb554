// A meeting point, used again and again.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/wait.h>
#include <coppice/detail/waiting_place.h>

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace coppice::inline v0 {

class async_barrier;

namespace detail {

class COPPICE_EXPORT barrier_source : waiter {
 public:
  using value_type = void;
  static constexpr const char* name = "async_barrier.arrive_and_wait";

  explicit barrier_source(async_barrier& at) noexcept : at_(at) {}

  bool ready();
  void arm(const ticket& wait, worker_core& here);
  void disarm() noexcept;
  void result() const noexcept {}

 private:
  async_barrier& at_;
  std::uint64_t phase_ = 0;  // arm(): of which it waits for the end.
};

}  // namespace detail

// As std::barrier, awaited, without a completion function: each phase ends when all parties have arrived, and with it the
// next begins. What they did before is visible to all of them behind it. Destroying it while somebody waits terminates
// with a sentence; who has been let go may.
class COPPICE_EXPORT async_barrier {
 public:
  // So many parties. usage_error for less than none.
  explicit async_barrier(std::ptrdiff_t count);
  async_barrier(const async_barrier&) = delete;
  async_barrier& operator=(const async_barrier&) = delete;

  // Waits until all have arrived. A cancellation point; who is stopped takes its arrival back while the phase is open,
  // and has arrived all the same if it has just ended. usage_error if all parties have dropped out.
  detail::wait_operation<detail::barrier_source> arrive_and_wait() noexcept {
    return detail::wait_operation<detail::barrier_source>(detail::barrier_source(*this));
  }

  // Any thread: arrives, and there is one party fewer from the next phase on. usage_error if none is left.
  void arrive_and_drop();

 private:
  friend class detail::barrier_source;

  void require_parties(const char* call) const;
  void end_phase(std::unique_lock<std::mutex> lock) noexcept;

  detail::waiting_place place_;
  std::ptrdiff_t parties_;  // Under its lock, and all below.
  std::ptrdiff_t missing_;  // At least 1 while there are parties.
  std::uint64_t phase_ = 0;
};

}  // namespace coppice::inline v0
