#include "supervision/restart_policy.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace coppice::inline v0::detail {

bool restart_window::admit(time_point now) {
  while (!times_.empty() && now - times_.front() > period_) {
    times_.pop_front();
  }
  if (times_.size() >= max_restarts_) {
    recent_ = static_cast<unsigned>(times_.size() + 1);
    return false;
  }
  if (max_restarts_ != std::numeric_limits<unsigned>::max()) {  // As many as one likes.
    times_.push_back(now);
  }
  recent_ = static_cast<unsigned>(times_.size());
  return true;
}

namespace {

duration whole(double ns) noexcept {
  // 2^63 is the least that does not fit.
  constexpr double too_long = 9'223'372'036'854'775'808.0;
  return ns >= too_long ? forever : duration(static_cast<duration::rep>(ns));
}

// From -1 to 1.
double either_way(std::uint64_t random) noexcept {
  constexpr double step = 1.0 / (1ull << 52);
  return static_cast<double>(random >> 11) * step - 1;
}

}  // namespace

duration backoff_delay::next(duration ran, std::uint64_t random) noexcept {
  if (ran >= policy_.reset_after) {
    next_ns_ = first();
  }
  if (policy_.initial <= duration::zero()) {
    return duration::zero();
  }
  const auto longest = static_cast<double>(policy_.max.count());
  const double now = std::min(next_ns_, longest);
  next_ns_ = std::min(now * policy_.factor, longest);
  return whole(std::round(now * (1 + policy_.jitter * either_way(random))));
}

std::uint64_t drawn_number(std::uint64_t seed, std::string_view id, std::uint64_t count) noexcept {
  // FNV-1a of the id, then the last step of splitmix64.
  std::uint64_t number = 0xcbf29ce484222325;
  for (const char each : id) {
    number = (number ^ static_cast<unsigned char>(each)) * 0x100000001b3;
  }
  number += seed + count * 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

}  // namespace coppice::inline v0::detail
