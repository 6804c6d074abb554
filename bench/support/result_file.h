// The file of results that --benchmark_out asks for: Google Benchmark's JSON, with the targets behind the rows.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <vector>

#include "bench/support/arguments.h"
#include "bench/support/target_table.h"

namespace bench {

class result_file final : public benchmark::JSONReporter {
 public:
  // `targets` is asked once all rows have been measured.
  result_file(const char* suite, std::function<std::vector<target_line>()> targets)
      : suite_(suite), targets_(std::move(targets)) {}

  // Measures, and writes the file if it is asked for as JSON.
  void run(const arguments& given);

  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

 private:
  const char* suite_;
  std::function<std::vector<target_line>()> targets_;
};

}  // namespace bench
