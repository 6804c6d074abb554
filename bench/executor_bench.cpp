// What does the executor's machinery cost, and how long does anything wait for it?
//
// Rows executor/<what>/.../<workers>, their time in nanoseconds for each of whatever they count. Each
// measurement is a process of its own, and checks what it computes; the order of all repetitions of all
// rows is drawn at random.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <iostream>
#include <vector>

#include "bench/executor/row.h"
#include "bench/executor/target_table.h"
#include "bench/support/arguments.h"
#include "bench/support/child.h"
#include "bench/support/progress.h"

namespace {

using bench::executor_suite::numbers;
using bench::executor_suite::row;

std::vector<row> all_rows() {
  std::vector<row> rows;
  for (const auto& some : {
           bench::executor_suite::deque_rows(),
           bench::executor_suite::frame_rows(),
           bench::executor_suite::spawn_rows(),
           bench::executor_suite::hop_rows(),
           bench::executor_suite::foreign_rows(),
           bench::executor_suite::parking_rows(),
           bench::executor_suite::timer_rows(),
           bench::executor_suite::worker_rows(),
       }) {
    rows.insert(rows.end(), some.begin(), some.end());
  }
  return rows;
}

struct suite {
  bool quick;
  bench::progress progress;
  bench::executor_suite::target_table targets;
  bool failed = false;
};

void run(benchmark::State& state, const row& one, suite& all) {
  all.progress.step(one.full_name());
  for (auto _ : state) {
    try {
      const numbers result = bench::in_child<numbers>(
          one.full_name(), [&] { return one.measure({one.workers, all.quick}); });
      all.targets.add(one, result);
      state.SetIterationTime(result.ns_each() * 1e-9);
      for (const auto& [name, value] : result.values()) {
        state.counters[name] = value;
      }
    } catch (const std::exception& failure) {
      state.SkipWithError(failure.what());
      all.failed = true;
      break;
    }
  }
  all.progress.clear();
}

double least(const std::vector<double>& values) {
  return *std::ranges::min_element(values);
}

}  // namespace

int main(int argc, char** argv) {
  bench::arguments given(argc, argv, 3);
  if (!given.initialize()) {
    return 2;
  }
  const std::vector<row> rows = all_rows();
  suite all = {given.quick(), bench::progress(rows.size() * given.repetitions()), {}};
  for (const row& one : rows) {
    benchmark::RegisterBenchmark(one.full_name().c_str(),
                                 [&one, &all](benchmark::State& state) { run(state, one, all); })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kNanosecond)
        ->ComputeStatistics("min", &least);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  all.targets.print(std::cerr);
  return all.failed ? 1 : 0;
}
