// Cores, and threads that stay on one.
#pragma once

#include <pthread.h>
#include <sched.h>

#include "bench/support/row.h"

namespace bench {

// The which-th core that this thread may use, and from the first again.
inline int usable_core(unsigned which) {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  require(sched_getaffinity(0, sizeof usable, &usable) == 0, "the usable cores are not known");
  unsigned left = which % static_cast<unsigned>(CPU_COUNT(&usable));
  int core = 0;
  while (!CPU_ISSET(core, &usable) || left-- != 0) {
    ++core;
  }
  return core;
}

inline void stay_on_core(int core) noexcept {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(core, &only);
  pthread_setaffinity_np(pthread_self(), sizeof only, &only);
}

}  // namespace bench
