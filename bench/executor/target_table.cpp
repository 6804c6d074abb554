// The targets, and their layout.
#include "bench/executor/target_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <ostream>
#include <string_view>

namespace bench::executor_suite {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct target {
  const char* what;
  const char* row;
  const char* value;
  bool at_most;
  double limit;
  double unit;  // Divides what was measured.
  const char* unit_name;
};

constexpr double ns_per_us = 1'000;

constexpr target targets[] = {
    {"foreign spawn, 1 worker in fork-join, p99", "executor/foreign/spawn/loaded/1", "ns_p99", true,
     100, ns_per_us, "us"},
    {"foreign spawn, 2 workers in fork-join, p99", "executor/foreign/spawn/loaded/2", "ns_p99",
     true, 100, ns_per_us, "us"},
    {"  of them served within 100 us", "executor/foreign/spawn/loaded/2", "percent_within_100us",
     false, 99, 1, "%"},
    {"due timer, 1 worker in fork-join, p99", "executor/timer/lateness/loaded/1", "ns_p99", true,
     100, ns_per_us, "us"},
    {"due timer, 2 workers in fork-join, p99", "executor/timer/lateness/loaded/2", "ns_p99", true,
     100, ns_per_us, "us"},
    {"  of them served within 100 us", "executor/timer/lateness/loaded/2", "percent_within_100us",
     false, 99, 1, "%"},
    {"CPU of 2 idle workers", "executor/idle_cpu/all_asleep/2", "percent_of_core", true, 1, 1,
     "% of a core"},
    {"CPU of 16 idle workers", "executor/idle_cpu/all_asleep/16", "percent_of_core", true, 1, 1,
     "% of a core"},
};

struct comparison {
  const char* what;
  const char* numerator;
  const char* denominator;
  double at_least_percent;
};

constexpr comparison comparisons[] = {
    {"throughput of 16 workers / of 2", "executor/mix/2", "executor/mix/16", 80},
};

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

void print_line(std::ostream& out, std::string what, bool at_most, double limit, double measured,
                const char* unit) {
  what.resize(46, ' ');
  std::string wanted =
      std::string(at_most ? "at most " : "at least ") + number("%g ", limit) + unit;
  wanted.resize(26, ' ');
  out << what << wanted;
  if (std::isnan(measured)) {
    out << "         -\n";
    return;
  }
  const bool met = at_most ? measured <= limit : measured >= limit;
  out << number("%10.4g", measured) << (met ? "  met\n" : "  missed\n");
}

}  // namespace

double target_table::median(const std::string& row_name, const char* value) const {
  const auto runs = runs_.find(row_name);
  if (runs == runs_.end()) {
    return nan;
  }
  std::vector<double> values;
  for (const numbers& run : runs->second) {
    if (value == nullptr) {
      values.push_back(run.ns_each());
      continue;
    }
    const auto named = run.values();
    const auto found = std::ranges::find(named, std::string_view(value), &numbers::named::name);
    values.push_back(found == named.end() ? nan : found->value);
  }
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void target_table::print(std::ostream& out) const {
  out << "target                                                                  measured\n";
  for (const target& one : targets) {
    print_line(out, one.what, one.at_most, one.limit, median(one.row, one.value) / one.unit,
               one.unit_name);
  }
  for (const comparison& one : comparisons) {
    print_line(out, one.what, false, one.at_least_percent,
               100 * median(one.numerator, nullptr) / median(one.denominator, nullptr), "%");
  }
}

}  // namespace bench::executor_suite
