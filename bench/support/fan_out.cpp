// What is made of the times of leaves.
#include "bench/support/fan_out.h"

#include <chrono>

#include "bench/support/row.h"
#include "bench/support/samples.h"

namespace bench {

void fan_outs::add(const fan_out& one, const std::vector<ticks>& observed) {
  const auto since_begun = [&](ticks then) {
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(ns_per_tick_ * static_cast<double>(then - one.begun)));
  };
  samples leaves(observed.size());
  for (const ticks leaf : observed) {
    require(leaf >= one.begun, "a leaf was not let go");
    leaves.add(since_begun(leaf));
  }
  leaves.sort();
  each_.push_back({.returned = static_cast<double>(since_begun(one.returned).count()),
                   .p50 = leaves.percentile_ns(50),
                   .p99 = leaves.percentile_ns(99),
                   .p99_9 = leaves.percentile_ns(99.9),
                   .last = leaves.most_ns(),
                   .joined = static_cast<double>(since_begun(one.joined).count())});
}

double fan_outs::ns(double spread::* value, double percent) const {
  samples all(each_.size());
  for (const spread& one : each_) {
    all.add(std::chrono::nanoseconds(static_cast<std::int64_t>(one.*value)));
  }
  all.sort();
  return all.percentile_ns(percent);
}

}  // namespace bench
