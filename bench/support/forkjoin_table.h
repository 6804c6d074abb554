// Measurements side by side: a line a problem, coppice's beside oneTBB's.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "bench/support/forkjoin_measurement.h"

namespace bench {

class forkjoin_table {
 public:
  void add(const contender& system, unsigned threads, problem one, const measurement& result);
  bool empty() const noexcept { return lines_.empty(); }

  // A line a problem and number of threads: medians, minima, and how many times as fast coppice is;
  // below, the geometric mean for each number of threads. What was not measured is a dash.
  void print(std::ostream& out) const;

  // The median time of one over that of the other. NaN if one of them was not measured.
  double ratio(const contender& of, const contender& to, problem one, unsigned threads) const;

 private:
  struct cell {
    std::string_view system;
    std::vector<measurement> runs;
  };
  struct line {
    problem what;
    unsigned threads;
    std::vector<cell> cells;
  };

  static double ratio(const cell* of, const cell* to);
  static const cell* find(const line& in, std::string_view system) noexcept;

  std::vector<line> lines_;
};

}  // namespace bench
