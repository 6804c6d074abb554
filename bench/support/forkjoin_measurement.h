// One timed solution of a problem, in a process of its own.
//
// A child process starts the library, warms it up, solves the problem once, stops the library and
// reports. So the peak of memory is that of this one solution. See child.h for the rest.
#pragma once

#include "bench/support/child.h"
#include "bench/support/forkjoin_contender.h"

namespace bench {

struct measurement {
  double seconds;
  double busy_cores;  // CPU time over seconds: below the number of threads if some waited.
  long peak_rss_kib;
};

// Throws as in_child() does, also for a result that is wrong.
measurement measure(const contender& system, unsigned threads, problem one);

// The processors that this process may use.
unsigned usable_processors() noexcept;

}  // namespace bench
