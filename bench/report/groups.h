// Rows that are alike but for one part of their names: beside other systems, in other circumstances, larger.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/report/results.h"

namespace bench::report {

inline constexpr const char* own_system = "coppice";

enum class standing { ours, peer, floor };

// A floor is no peer: it does less than what is measured, and shows what no system can do without.
standing standing_of(const std::string& system);

// One row out of a group, and what its name has where the others have something else.
struct labelled {
  std::string label;
  const row* of;
};

struct group {
  std::string title;  // The names, with * where they differ.
  std::vector<labelled> rows;
};

// A part of a name is a system if it is coppice, or if there is the same row of coppice.
std::vector<group> by_system(const results& all);

// Coppice's own rows, and those of suites that have nobody beside it, where one word differs; three rows or more.
std::vector<group> by_circumstance(const results& all);

struct growth {
  std::string title;  // With * for the size, and for the system where there are several.
  std::string value;
  struct line {
    std::string system;                             // Empty if the names say none.
    std::vector<std::pair<double, double>> points;  // Size and median, in the order of sizes.

    // Of the size, in a power law through the points: least squares of the logarithms.
    double exponent() const;
  };
  std::vector<line> lines;
};

// Rows of at least three sizes, the largest ten times the least or more.
std::vector<growth> by_size(const results& all);

}  // namespace bench::report
