// What a suite promises, beside what was measured.
#pragma once

#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bench/support/row.h"

namespace bench {

// A row may be named by a pattern, as of fnmatch(3): `*` for any part between two slashes, `@(one|other)`. What is promised
// of several is promised of the worst, and what is compared with several is compared with the best.

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
  bool difference = false;  // Of the two values, times `scale`, not their ratio.
};

// What was promised, and what became of it.
struct target_line {
  std::string what;
  bool at_most;
  double limit;
  std::string unit;
  double measured;         // NaN if nothing was.
  bool condition = false;  // Without which the others are void.

  bool missed() const noexcept { return at_most ? measured > limit : measured < limit; }
};

// A line each, under a heading. What was not measured is a dash; nothing at all if there is no line.
void print_targets(std::ostream& out, std::span<const target_line> lines);

class target_table {
 public:
  // `conditions`: what the best of their rows must meet, or the table is void, and says so.
  target_table(std::span<const target> targets, std::span<const comparison> comparisons,
               std::span<const target> conditions = {}) noexcept
      : targets_(targets), comparisons_(comparisons), conditions_(conditions) {}

  void add(const std::string& row_name, const numbers& result) {
    runs_[row_name].push_back(result);
  }

  // A line a condition, then a line a target; medians over the repetitions. None if nothing was measured.
  std::vector<target_line> lines() const;
  void print(std::ostream& out) const { print_targets(out, lines()); }

 private:
  enum class choice { least, most };

  // Of the rows that fit, the least or the greatest median. NaN if none was measured.
  double median(const char* rows, const char* value, choice of) const;

  const std::span<const target> targets_;
  const std::span<const comparison> comparisons_;
  const std::span<const target> conditions_;
  std::map<std::string, std::vector<numbers>> runs_;
};

}  // namespace bench
