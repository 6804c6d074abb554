// What the child process does that solves a problem.
#include "bench/support/forkjoin_measurement.h"

#include <sched.h>

#include <algorithm>

#include "bench/support/cpu_time.h"
#include "bench/support/peak_rss.h"

namespace bench {
namespace {

measurement measure_here(const contender& system, unsigned threads, problem one) {
  const std::unique_ptr<fork_join> library = system.start(threads);
  solve_seconds(*library, warm_up(one));
  const double cpu_before = process_cpu_seconds();
  const double seconds = solve_seconds(*library, one);
  return {seconds, (process_cpu_seconds() - cpu_before) / seconds, peak_rss_kib()};
}

}  // namespace

measurement measure(const contender& system, unsigned threads, problem one) {
  return in_child<measurement>(name(one) + " on " + std::string(system.name),
                               [&] { return measure_here(system, threads, one); });
}

unsigned usable_processors() noexcept {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return 1;
  }
  return static_cast<unsigned>(std::max(CPU_COUNT(&allowed), 1));
}

}  // namespace bench
