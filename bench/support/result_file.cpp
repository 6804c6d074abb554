// What is put right in Google Benchmark's JSON, and what is added.
#include "bench/support/result_file.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>

namespace bench {

void result_file::run(const arguments& given) {
  if (given.writes_json()) {
    benchmark::RunSpecifiedBenchmarks(nullptr, this);
  } else {
    benchmark::RunSpecifiedBenchmarks();
  }
}

// JSON has no word for what is not finite, such as the relative spread of values that are all zero.
void result_file::ReportRuns(const std::vector<Run>& runs) {
  std::vector<Run> finite = runs;
  for (Run& run : finite) {
    std::erase_if(run.counters, [](const auto& each) { return !std::isfinite(each.second.value); });
  }
  JSONReporter::ReportRuns(finite);
}

// In place of the base's, which closes the list of rows and the whole.
void result_file::Finalize() {
  auto targets = nlohmann::ordered_json::array();
  for (const target_line& one : targets_()) {
    // NaN, where nothing was measured, becomes null.
    targets.push_back({{"suite", suite_},
                       {"what", one.what},
                       {"at_most", one.at_most},
                       {"limit", one.limit},
                       {"unit", one.unit},
                       {"measured", one.measured},
                       {"condition", one.condition}});
  }
  GetOutputStream() << "\n  ],\n  \"targets\": " << targets.dump(2) << "\n}\n";
}

}  // namespace bench
