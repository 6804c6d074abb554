// One call that lets a crowd go, and what is left over of many such.
#pragma once

#include <cstddef>
#include <vector>

#include "bench/support/ticks.h"

namespace bench {

struct fan_out {
  ticks begun = 0;     // Just before the call.
  ticks returned = 0;  // Just behind it.
  ticks joined = 0;    // When everything below has been freed, and who waits for that goes on.
};

// Of one, in nanoseconds since it was begun: percentiles over its leaves.
struct spread {
  double returned;
  double p50;
  double p99;
  double p99_9;
  double last;
  double joined;
};

class fan_outs {
 public:
  fan_outs() : ns_per_tick_(measure_ns_per_tick()) {}

  // A leaf that was not let go by it makes the row one that failed.
  void add(const fan_out& one, const std::vector<ticks>& observed);

  std::size_t count() const noexcept { return each_.size(); }

  // Of one value of each, the percentile over all.
  double ns(double spread::* value, double percent = 50) const;

 private:
  const double ns_per_tick_;
  std::vector<spread> each_;
};

}  // namespace bench
