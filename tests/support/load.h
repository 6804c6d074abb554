// How hard a test works in this run: everything in a release check, a part of it elsewhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace coppice::testing_support {

// The share of the full load, more than 0 and at most 1, from the environment variable TEST_LOAD. A
// hundredth if that is not set, or is not such a number. Its name does not begin with COPPICE_, for
// those are settings of the library's, which complains of one it does not know.
inline double load() {
  const char* text = std::getenv("TEST_LOAD");
  const double share = text == nullptr ? 0.0 : std::strtod(text, nullptr);
  return share > 0.0 ? std::min(share, 1.0) : 0.01;
}

// What remains of `full` rounds under this run's load, but never less than `least`: too few rounds
// would test nothing.
inline long rounds(long full, long least = 100) {
  const long scaled = std::lround(static_cast<double>(full) * load());
  return std::max(scaled, std::min(full, least));
}

}  // namespace coppice::testing_support
