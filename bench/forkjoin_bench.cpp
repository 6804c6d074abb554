// What does a fork and its join cost, in time and memory, with supervision and without, beside oneTBB and beside no
// fork at all?
//
// Rows forkjoin/<system>/<program>/<threads>. Each measurement is one solution in a process of its
// own, checked; the order of all repetitions of all rows is drawn at random, so that a slow minute of
// the machine falls on every system alike.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "bench/support/arguments.h"
#include "bench/support/forkjoin_measurement.h"
#include "bench/support/forkjoin_table.h"
#include "bench/support/progress.h"
#include "bench/support/result_file.h"
#include "bench/support/target_table.h"

namespace {

using bench::contender;
using bench::problem;
using bench::program;

struct row {
  contender system;
  problem what;
  unsigned threads;

  std::string name() const {
    return "forkjoin/" + std::string(system.name) + '/' + bench::name(what) + '/' +
           std::to_string(threads);
  }
};

// Large problems show the cost of a fork, those a size smaller that it does not depend on the size.
constexpr problem problems[] = {
    {program::fib, 35},   {program::fib, 39},     {program::skynet, 7},
    {program::skynet, 8}, {program::nqueens, 13}, {program::matmul, 1024},
};

// How many times as fast as oneTBB on two threads.
struct promise {
  problem what;
  double times;
};
constexpr promise promises[] = {{{program::fib, 39}, 5},
                                {{program::skynet, 8}, 4},
                                {{program::nqueens, 13}, 1.25},
                                {{program::matmul, 1024}, 1}};
constexpr double promised_mean = 2.3;

// What supervision may cost. Clang makes more of a fork that is no scope.
#if defined(__clang__)
constexpr double supervised_over_bare = 1.10;
#else
constexpr double supervised_over_bare = 1.05;
#endif

std::vector<row> all_rows() {
  std::vector<row> rows;
  for (const problem one : problems) {
    for (const unsigned threads : {1U, 2U}) {
      rows.push_back({bench::coppice_contender, one, threads});
      rows.push_back({bench::coppice_bare_contender, one, threads});
      rows.push_back({bench::onetbb_contender, one, threads});
      // Only where a context a fork is a large part of the cost.
      if (one == problem{program::fib, 35} || one == problem{program::skynet, 7}) {
        rows.push_back({bench::onetbb_shared_contender, one, threads});
      }
    }
    rows.push_back({bench::serial_contender, one, 1});
  }
  return rows;
}

struct suite {
  bench::forkjoin_table table;
  bench::progress progress;
  bool failed = false;
};

void run(benchmark::State& state, const row& one, suite& all) {
  all.progress.step(one.name());
  for (auto _ : state) {
    try {
      const bench::measurement result = bench::measure(one.system, one.threads, one.what);
      all.table.add(one.system, one.threads, one.what, result);
      state.SetIterationTime(result.seconds);
      state.counters["ns_per_task"] =
          result.seconds * 1e9 / static_cast<double>(bench::task_count(one.what));
      state.counters["peak_rss_kib"] = static_cast<double>(result.peak_rss_kib);
      state.counters["busy_cores"] = result.busy_cores;
    } catch (const std::exception& failure) {
      state.SkipWithError(failure.what());
      all.failed = true;
      break;
    }
  }
  all.progress.clear();
}

std::vector<bench::target_line> targets(const bench::forkjoin_table& table) {
  std::vector<bench::target_line> lines;
  double logarithms = 0;
  for (const auto& [what, times] : promises) {
    const double measured = table.ratio(bench::onetbb_contender, bench::coppice_contender, what, 2);
    logarithms += std::log(measured);
    lines.push_back(
        {bench::name(what) + " on 2 threads, as fast as oneTBB", false, times, "times", measured});
  }
  lines.push_back({"  geometric mean of these", false, promised_mean, "times",
                   std::exp(logarithms / std::size(promises))});
  for (const auto& [what, times] : promises) {
    for (const unsigned threads : {1U, 2U}) {
      lines.push_back(
          {bench::name(what) + " on " + std::to_string(threads) + ", supervised over bare", true,
           supervised_over_bare, "times",
           table.ratio(bench::coppice_contender, bench::coppice_bare_contender, what, threads)});
    }
  }
  return lines;
}

double least(const std::vector<double>& values) {
  return *std::ranges::min_element(values);
}

}  // namespace

int main(int argc, char** argv) {
  bench::arguments given(argc, argv, 5);
  if (!given.initialize()) {
    return 2;
  }
  const std::vector<row> rows = all_rows();
  suite all = {{}, bench::progress(rows.size() * given.repetitions())};
  for (const row& one : rows) {
    benchmark::RegisterBenchmark(one.name().c_str(),
                                 [&one, &all](benchmark::State& state) { run(state, one, all); })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->ComputeStatistics("min", &least);
  }
  bench::result_file("forkjoin", [&] { return targets(all.table); }).run(given);
  benchmark::Shutdown();
  if (!all.table.empty()) {
    all.table.print(std::cerr);
    bench::print_targets(std::cerr, targets(all.table));
  }
  return all.failed ? 1 : 0;
}
