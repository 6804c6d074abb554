// The clock that timers run on: the steady clock, or a virtual one that stands still while anybody works.
//
// Orderings
//   T1  The virtual time moves when all workers sleep; the worker that moves it then resumes those whose
//       time has come. Any reader sees a time at least as late as what woke it.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/atomic.h>

#include <algorithm>

namespace coppice::inline v0::detail {

// The time d after `start`; max(), which is never, if there is none so late, and `start` if d is negative.
constexpr time_point time_after(time_point start, duration d) noexcept {
  return d >= time_point::max() - start ? time_point::max() : start + std::max(d, duration::zero());
}

class time_source {
 public:
  explicit time_source(bool is_virtual) noexcept : virtual_(is_virtual) {}

  bool is_virtual() const noexcept { return virtual_; }

  time_point now() const noexcept {
    return virtual_ ? now_.load(std::memory_order_acquire)  // T1
                    : std::chrono::time_point_cast<duration>(clock::now());
  }

  // Virtual only.
  void advance_to(time_point later) noexcept {
    now_.store(later, std::memory_order_release);  // T1
  }

  // Where virtual time begins. Not zero, so that a caller may subtract from it.
  static constexpr time_point beginning{std::chrono::hours(24)};

 private:
  const bool virtual_;
  atomic<time_point> now_{beginning};  // A worker at a standstill, under its lock.
};

}  // namespace coppice::inline v0::detail
