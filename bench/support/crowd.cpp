// How leaves fall asleep.
#include "bench/support/crowd.h"

#include <chrono>

namespace bench {

using std::chrono::microseconds;
using std::chrono::milliseconds;

task<> sleeper(crowd& all, std::size_t which) {
  const crowd::mark here(all, which);
  all.falls_asleep();
  co_await coppice::sleep_for(std::chrono::hours(1));
}

task<> until_asleep(crowd& all) {
  for (int left = 100; left != 0;) {
    co_await coppice::yield();
    if (all.all_asleep()) {
      --left;
    }
  }
}

coppice::options options_for(const setting& at, others doing) {
  return {.threads = at.workers,
          .spin = doing == others::search ? milliseconds(10) : milliseconds(0)};
}

void let_others(others doing) {
  if (doing == others::sleep) {
    const auto begun = clock::now();
    while (clock::now() - begun < microseconds(300)) {
    }
  }
}

}  // namespace bench
