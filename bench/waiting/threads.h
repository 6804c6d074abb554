// Plain threads on cores of their own, and how long they take.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "bench/support/row.h"

namespace bench::waiting_suite {

// The which-th core that this process may use, and from the first again.
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

// A runtime's setting that puts its one worker there.
inline std::string pin_to_core(unsigned which) {
  return "list:" + std::to_string(usable_core(which));
}

inline void stay_on_core(int core) noexcept {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(core, &only);
  pthread_setaffinity_np(pthread_self(), sizeof only, &only);
}

// Calls body(i) on so many threads, dealt out to so many cores; nanoseconds until all have returned.
template <class Body>
double time_on_threads(unsigned threads, unsigned cores, Body body) {
  std::latch ready(threads);
  std::latch go(1);
  std::vector<std::thread> all;
  for (unsigned i = 0; i != threads; ++i) {
    all.emplace_back([&, i, core = usable_core(i % cores)] {
      stay_on_core(core);
      ready.count_down();
      go.wait();
      body(i);
    });
  }
  ready.wait();
  const auto begun = clock::now();
  go.count_down();
  for (std::thread& each : all) {
    each.join();
  }
  return ns_since(begun);
}

}  // namespace bench::waiting_suite
