// The pictures of a suite, each with its numbers as a table behind it.
#pragma once

#include <string>
#include <vector>

#include "bench/report/groups.h"
#include "bench/report/results.h"

namespace bench::report {

// Markup, by what they show. Empty where a suite has nothing of the kind.
struct figures {
  std::vector<std::string> systems;        // Bars: coppice beside others.
  std::vector<std::string> distributions;  // Curves over percentiles.
  std::vector<std::string> sizes;          // Curves over sizes.
  std::vector<std::string> circumstances;  // Bars: coppice here and there.
};

// Finds all groups once; then gives each suite's figures.
class figure_maker {
 public:
  explicit figure_maker(const results& all);
  figures of(const std::string& suite);

 private:
  std::string next_id();
  std::string bars(const group& of, const std::string& value, bool systems);
  void add_distributions(const group& from, bool systems, std::vector<std::string>& to);
  std::string curves_of(const group& of, const std::string& distribution, bool systems);
  std::string sizes_of(const growth& of);

  const std::vector<group> systems_;
  const std::vector<group> circumstances_;
  const std::vector<growth> growths_;
  int made_ = 0;
};

}  // namespace bench::report
