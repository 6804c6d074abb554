// A clock that is cheap beside what it times: 100 000 destructors look at it within a millisecond.
#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace bench {

using ticks = std::int64_t;

inline ticks ticks_now() noexcept {
#if defined(__x86_64__)
  return static_cast<ticks>(__rdtsc());
#else
  return std::chrono::steady_clock::now().time_since_epoch().count();
#endif
}

// Against the steady clock, for some 20 ms. Once a process, before anything is timed.
inline double measure_ns_per_tick() noexcept {
  const auto begun = std::chrono::steady_clock::now();
  const ticks first = ticks_now();
  auto now = begun;
  while (now - begun < std::chrono::milliseconds(20)) {
    now = std::chrono::steady_clock::now();
  }
  return std::chrono::duration<double, std::nano>(now - begun).count() /
         static_cast<double>(ticks_now() - first);
}

}  // namespace bench
