// Where we lose: rows in which another system is faster than coppice.
#pragma once

#include <string>
#include <vector>

#include "bench/report/results.h"

namespace bench::report {

struct loss {
  std::string title;  // The row, with * for the system.
  std::string value;
  std::string peer;  // The best of them.
  double ours;       // Medians, both.
  double theirs;
  bool within_noise;  // The repetitions of the two overlap, or there is but one of either.

  double factor() const { return ours / theirs; }
};

struct standings {
  std::size_t compared = 0;  // Values of rows that coppice and a peer have.
  std::vector<loss> losses;  // The largest factor first.
};

standings compare_with_peers(const results& all);

}  // namespace bench::report
