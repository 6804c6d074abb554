// What the executor promises, beside what was measured.
#pragma once

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "bench/executor/row.h"

namespace bench::executor_suite {

class target_table {
 public:
  void add(const row& of, const numbers& result) { runs_[of.full_name()].push_back(result); }

  // A line a target; medians over the repetitions. What was not measured is a dash.
  void print(std::ostream& out) const;

 private:
  // The median of a named value, or of what each costs if there is no name. NaN if it was not measured.
  double median(const std::string& row_name, const char* value) const;

  std::map<std::string, std::vector<numbers>> runs_;
};

}  // namespace bench::executor_suite
