// Google Benchmark's rows, each of which is one measurement in a child process.
#include "bench/support/suite.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <iostream>

#include "bench/support/arguments.h"
#include "bench/support/child.h"
#include "bench/support/progress.h"
#include "bench/support/result_file.h"

namespace bench {
namespace {

struct state_of_run {
  const suite& of;
  bool quick;
  progress shown;
  target_table targets;
  bool failed = false;
};

bool all_finite(const numbers& result) {
  return std::isfinite(result.ns_each()) &&
         std::ranges::all_of(result.values(),
                             [](const auto& one) { return std::isfinite(one.value); });
}

void run(benchmark::State& state, const row& one, state_of_run& all) {
  const std::string name = all.of.full_name(one);
  all.shown.step(name);
  for (auto _ : state) {
    try {
      const numbers result =
          in_child<numbers>(name, [&] { return one.measure({one.workers, all.quick}); });
      require(all_finite(result), "a value is no number: something was divided by nothing");
      all.targets.add(name, result);
      state.SetIterationTime(result.ns_each() * 1e-9);
      for (const auto& [label, value] : result.values()) {
        state.counters[label] = value;
      }
    } catch (const std::exception& failure) {
      state.SkipWithError(failure.what());
      all.failed = true;
      break;
    }
  }
  all.shown.clear();
}

double least(const std::vector<double>& values) {
  return *std::ranges::min_element(values);
}

}  // namespace

int run_suite(const suite& all, int argc, char** argv) {
  arguments given(argc, argv, all.repetitions);
  if (!given.initialize()) {
    return 2;
  }
  state_of_run running = {all, given.quick(), progress(all.rows.size() * given.repetitions()),
                          target_table(all.targets, all.comparisons, all.conditions)};
  for (const row& one : all.rows) {
    benchmark::RegisterBenchmark(
        all.full_name(one).c_str(),
        [&one, &running](benchmark::State& state) { run(state, one, running); })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kNanosecond)
        ->ComputeStatistics("min", &least);
  }
  result_file(all.name, [&] { return running.targets.lines(); }).run(given);
  benchmark::Shutdown();
  running.targets.print(std::cerr);
  return running.failed ? 1 : 0;
}

}  // namespace bench
