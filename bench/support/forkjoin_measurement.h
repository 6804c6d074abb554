// One timed solution of a problem, in a process of its own.
//
// A child process starts the library, warms it up, solves the problem once, stops the library and
// reports. So the peak of memory is that of this one solution, no thread of another library is
// there, and a crash is a row that failed rather than the end of the bench. The caller must not have
// started threads.
#pragma once

#include <stdexcept>
#include <string>

#include "bench/support/forkjoin_contender.h"

namespace bench {

struct measurement {
  double seconds;
  double busy_cores;  // CPU time over seconds: below the number of threads if some waited.
  long peak_rss_kib;
};

// A signal that the caller handles came while the child was at work.
class interrupted : public std::runtime_error {
 public:
  interrupted() : std::runtime_error("interrupted") {}
};

// Throws std::runtime_error, with a sentence, if the child crashed or its result is wrong; throws
// interrupted, once the child has been ended, if the caller had a signal.
measurement measure(const contender& system, unsigned threads, problem one);

// The processors that this process may use.
unsigned usable_processors() noexcept;

}  // namespace bench
