// CPU time used so far, by the system's account.
#pragma once

#include <sys/resource.h>

namespace bench {

inline double cpu_seconds_of(int who) noexcept {
  rusage usage = {};
  getrusage(who, &usage);
  const auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

inline double process_cpu_seconds() noexcept {
  return cpu_seconds_of(RUSAGE_SELF);
}
inline double thread_cpu_seconds() noexcept {
  return cpu_seconds_of(RUSAGE_THREAD);
}

}  // namespace bench
