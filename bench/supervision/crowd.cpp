// How leaves fall asleep, and what is made of their times.
#include "bench/supervision/crowd.h"

#include <algorithm>
#include <chrono>

namespace bench::supervision_suite {

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

events::events(std::size_t most) : ns_per_tick_(measure_ns_per_tick()), calls_(most) {}

void events::add(const event& one, const crowd& of) {
  const auto ns = [&](ticks since) {
    return static_cast<std::int64_t>(ns_per_tick_ * static_cast<double>(since - one.begun));
  };
  samples leaves(of.size());
  for (const ticks each : of.observed()) {
    require(each >= one.begun, "a leaf was not stopped by the cancel");
    leaves.add(std::chrono::nanoseconds(ns(each)));
  }
  leaves.sort();
  calls_.add(std::chrono::nanoseconds(ns(one.returned)));
  p50_.push_back(leaves.percentile_ns(50));
  p99_.push_back(leaves.percentile_ns(99));
  p99_9_.push_back(leaves.percentile_ns(99.9));
  last_.push_back(leaves.most_ns());
  joined_.push_back(static_cast<double>(ns(one.joined)));
}

double events::median(std::vector<double>& values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

numbers events::observed() {
  const double p99_9 = median(p99_9_);
  numbers result(p99_9);
  result.add("ns_p50", median(p50_))
      .add("ns_p99", median(p99_))
      .add("ns_p99_9", p99_9)
      .add("ns_p99_9_worst", p99_9_.empty() ? 0 : p99_9_.back())
      .add("ns_last", median(last_))
      .add("ns_join", median(joined_))
      .add("ns_join_least", joined_.empty() ? 0 : joined_.front())
      .add("events", static_cast<double>(count()));
  return result;
}

numbers events::calls() {
  return distribution(calls_);
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

}  // namespace bench::supervision_suite
