// When a child that has ended is started again, and when that has been too often: arithmetic, and nothing else.
#pragma once

#include <coppice/child_spec.h>
#include <coppice/clock.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

namespace coppice::inline v0::detail {

// The restarts of a supervisor's children in the time up to now. A restart that is exactly as long ago as the window is
// wide still counts.
class restart_window {
 public:
  restart_window(unsigned max_restarts, duration period)
      : max_restarts_(max_restarts), period_(period) {}

  // Counts one more; false if that is more than are allowed. Keeps no more than those.
  bool admit(time_point now);

  // In the window, when the last was counted, and with it.
  unsigned recent() const noexcept { return recent_; }

 private:
  const unsigned max_restarts_;
  const duration period_;
  unsigned recent_ = 0;
  std::deque<time_point> times_;  // Of those that were admitted, in order.
};

// How long one child is waited with, from restart to restart.
class backoff_delay {
 public:
  explicit backoff_delay(const backoff_policy& policy) noexcept
      : policy_(policy), next_ns_(first()) {}

  // Of the child that has run for so long. `random` decides the jitter.
  duration next(duration ran, std::uint64_t random) noexcept;

 private:
  double first() const noexcept { return static_cast<double>(policy_.initial.count()); }

  const backoff_policy policy_;
  double next_ns_;
};

// A number that looks drawn by chance, and is decided by these.
std::uint64_t drawn_number(std::uint64_t seed, std::string_view id, std::uint64_t count) noexcept;

}  // namespace coppice::inline v0::detail
