// What a suite promises, beside what was measured.
#pragma once

#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bench/support/row.h"

namespace bench {

// A value of one row; null: what each costs.
struct target {
  const char* what;
  const char* row;
  const char* value;
  bool at_most;
  double limit;
  double unit;  // Divides what was measured.
  const char* unit_name;
};

// What each costs in one row, as a multiple of the same, or of a value, in another. A percentage, or a plain ratio.
struct comparison {
  const char* what;
  const char* numerator;
  const char* denominator;
  const char* value;  // Of both; null: what each costs.
  bool at_most;
  double limit;
  double scale;  // Of the ratio: 100 for a percentage.
  const char* unit_name;
};

class target_table {
 public:
  target_table(std::span<const target> targets, std::span<const comparison> comparisons) noexcept
      : targets_(targets), comparisons_(comparisons) {}

  void add(const std::string& row_name, const numbers& result) {
    runs_[row_name].push_back(result);
  }

  // A line a target; medians over the repetitions. What was not measured is a dash.
  void print(std::ostream& out) const;

 private:
  // The median of a named value, or of what each costs if there is no name. NaN if it was not measured.
  double median(const std::string& row_name, const char* value) const;

  const std::span<const target> targets_;
  const std::span<const comparison> comparisons_;
  std::map<std::string, std::vector<numbers>> runs_;
};

}  // namespace bench
