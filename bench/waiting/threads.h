// Plain threads on cores of their own, and how long they take.
#pragma once

#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "bench/support/cores.h"
#include "bench/support/row.h"

namespace bench::waiting_suite {

// A runtime's setting that puts its one worker there.
inline std::string pin_to_core(unsigned which) {
  return "list:" + std::to_string(usable_core(which));
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
