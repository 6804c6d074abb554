// The clock of the library, and how it writes spans of time.
#pragma once

#include <chrono>

namespace coppice::inline v0 {

// Steady: unmoved by anybody who sets the time of day.
using clock = std::chrono::steady_clock;

// Whole nanoseconds. 5s and 100ms convert; a floating span does not, since it would have to round:
// say how by std::chrono::duration_cast.
using duration = std::chrono::nanoseconds;
using time_point = std::chrono::time_point<clock, duration>;

// A limit that is none. At the other end, a wait for less than nothing is a wait for nothing.
inline constexpr duration forever = duration::max();

}  // namespace coppice::inline v0
