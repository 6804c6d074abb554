// What is told of a scene.
#include "bench/fanout/scene.h"

namespace bench::fanout_suite {
namespace {

numbers& add_join(numbers& to, const fan_outs& seen) {
  return to.add("join_p50_ns", seen.ns(&spread::joined))
      .add("join_least_ns", seen.ns(&spread::joined, 0));
}

numbers observed(const fan_outs& seen) {
  const double p99_9 = seen.ns(&spread::p99_9);
  return numbers(p99_9)
      .add("observed_p50_ns", seen.ns(&spread::p50))
      .add("observed_p99_ns", seen.ns(&spread::p99))
      .add("observed_p999_ns", p99_9)
      .add("observed_max_ns", seen.ns(&spread::last))
      .add("observed_worst_ns", seen.ns(&spread::last, 100))
      .add("cancels", static_cast<double>(seen.count()));
}

}  // namespace

numbers observed_and_returned(const fan_outs& seen) {
  return observed(seen)
      .add("cancel_returns_p50_ns", seen.ns(&spread::returned))
      .add("cancel_returns_p999_ns", seen.ns(&spread::returned, 99.9));
}

numbers observed_and_joined(const fan_outs& seen) {
  numbers result = observed(seen);
  return add_join(result, seen);
}

numbers all_three(const fan_outs& seen) {
  numbers result = observed_and_returned(seen);
  return add_join(result, seen);
}

}  // namespace bench::fanout_suite
