// Results as suites write them, made up.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bench/report/results.h"

namespace bench::report {

// One repetition of a row, as Google Benchmark writes it.
inline std::string repetition(const std::string& name, double ns,
                              const std::string& counters = "") {
  return R"({"name": ")" + name + R"(/iterations:1/manual_time", "run_type": "iteration",)" +
         R"( "repetition_index": 0, "iterations": 1, "real_time": )" + std::to_string(ns) +
         R"(, "cpu_time": 1, "time_unit": "ns")" + (counters.empty() ? "" : ", " + counters) + "}";
}

inline std::string failure(const std::string& name, const std::string& why) {
  return R"({"name": ")" + name + R"(", "run_type": "iteration", "error_occurred": true,)" +
         R"( "error_message": ")" + why + R"("})";
}

inline std::string list(const std::vector<std::string>& items) {
  std::string all;
  for (const std::string& item : items) {
    all += (all.empty() ? "" : ",") + item;
  }
  return '[' + all + ']';
}

inline std::string file_of(
    const std::vector<std::string>& rows, const std::vector<std::string>& targets = {},
    const std::string& context = R"("compiler": "GNU 12.2.0", "quick": "no")") {
  return R"({"context": {)" + context + R"(}, "benchmarks": )" + list(rows) + R"(, "targets": )" +
         list(targets) + '}';
}

inline results results_of(const std::vector<std::string>& rows,
                          const std::vector<std::string>& targets = {}) {
  return parse({"made_up.json", file_of(rows, targets)});
}

// A row with so many repetitions.
struct made_row {
  std::string name;
  std::vector<double> ns;
};

inline results results_of(std::initializer_list<made_row> rows) {
  results all;
  for (const made_row& one : rows) {
    all.rows.push_back({one.name, {{time_value, one.ns}}, ""});
  }
  return all;
}

}  // namespace bench::report
