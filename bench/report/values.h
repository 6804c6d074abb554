// What a value's name says of it: its unit, whether less of it is better, and which percentile it is.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/report/results.h"

namespace bench::report {

enum class unit { ns, bytes, kib, percent, plain };
enum class better { less, more, neither };

struct value_kind {
  unit in;
  better when;
};

value_kind kind_of(std::string_view value);

// With a unit that leaves three digits to read: "80.3 us". Not a number: "-".
std::string text_of(double value, unit in);

// ns_p99_9 and observed_p999_ns are the 99.9th, ns_max, ns_last and observed_max_ns the 100th.
struct percentile {
  std::string of;  // "observed"; empty where the row has but one distribution.
  double percent;
};
std::optional<percentile> percentile_of(std::string_view value);

// What rows are compared by: those that say how soon a cancel is over, else the time.
std::vector<std::string> headlines(const row& one);

// Repetitions at a glance.
struct spread {
  double median;
  double least;
  double most;
  std::size_t count;

  double width() const { return most - least; }
};

// Of none: nothing.
std::optional<spread> spread_of(std::span<const double> repetitions);
std::optional<spread> spread_of(const row& one, const std::string& value);

}  // namespace bench::report
