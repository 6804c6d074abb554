// How groups are found: by names in which one part is struck out.
#include "bench/report/groups.h"

#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "bench/report/values.h"

namespace bench::report {
namespace {

using parts = std::vector<std::string>;

constexpr std::size_t most_bars = 12;

const std::string any = "*";

std::string name_with(parts name, std::size_t place, const std::string& word) {
  name[place] = word;
  return absl::StrJoin(name, "/");
}

bool is_size(const std::string& part) {
  return std::ranges::all_of(part, [](unsigned char c) { return std::isdigit(c) != 0; }) &&
         !part.empty() && part.size() < 16;
}

struct named_row {
  const row* of;
  parts name;
  std::optional<std::size_t> system;  // Which part of the name.
};

// Rows that were measured.
std::vector<named_row> names_of(const results& all) {
  std::set<std::string> names;
  for (const row& one : all.rows) {
    names.insert(one.name);
  }
  std::vector<named_row> found;
  for (const row& one : all.rows) {
    if (one.values.empty()) {
      continue;
    }
    named_row named = {&one, absl::StrSplit(one.name, '/'), {}};
    for (std::size_t i = 1; i < named.name.size() && !named.system; ++i) {
      if (names.contains(name_with(named.name, i, own_system))) {
        named.system = i;
      }
    }
    found.push_back(named);
  }
  return found;
}

// Groups in the order of their first rows.
class grouping {
 public:
  void add(const std::string& title, const std::string& label, const row* of) {
    const auto [at, is_new] = places_.try_emplace(title, groups_.size());
    if (is_new) {
      groups_.push_back({title, {}});
    }
    groups_[at->second].rows.push_back({label, of});
  }

  std::vector<group> of_at_least(std::size_t rows) {
    std::erase_if(groups_, [&](const group& each) { return each.rows.size() < rows; });
    return std::move(groups_);
  }

 private:
  std::map<std::string, std::size_t> places_;
  std::vector<group> groups_;
};

}  // namespace

standing standing_of(const std::string& system) {
  static const std::set<std::string> floors = {"limit",          "limit1", "limit2", "coppice_bare",
                                               "coppice_gather", "serial", "futex"};
  return system == own_system      ? standing::ours
         : floors.contains(system) ? standing::floor
                                   : standing::peer;
}

std::vector<group> by_system(const results& all) {
  grouping found;
  for (const named_row& one : names_of(all)) {
    if (one.system) {
      found.add(name_with(one.name, *one.system, any), one.name[*one.system], one.of);
    }
  }
  std::vector<group> groups = found.of_at_least(2);
  for (group& each : groups) {
    // Ours, then those it is to be compared with, then what nobody can do without.
    std::vector<labelled> sorted;
    for (const standing wanted : {standing::ours, standing::peer, standing::floor}) {
      std::ranges::copy_if(each.rows, std::back_inserter(sorted),
                           [&](const labelled& of) { return standing_of(of.label) == wanted; });
    }
    each.rows = std::move(sorted);
  }
  return groups;
}

std::vector<group> by_circumstance(const results& all) {
  grouping found;
  for (const named_row& one : names_of(all)) {
    if (one.system && one.name[*one.system] != own_system) {
      continue;
    }
    for (std::size_t i = 1; i < one.name.size(); ++i) {
      if (i != one.system && !is_size(one.name[i])) {
        found.add(name_with(one.name, i, any), one.name[i], one.of);
      }
    }
  }
  std::vector<group> groups = found.of_at_least(3);
  std::erase_if(groups, [](const group& each) { return each.rows.size() > most_bars; });
  return groups;
}

double growth::line::exponent() const {
  double x_mean = 0;
  double y_mean = 0;
  for (const auto& [x, y] : points) {
    x_mean += std::log(x) / static_cast<double>(points.size());
    y_mean += std::log(y) / static_cast<double>(points.size());
  }
  double xy = 0;
  double xx = 0;
  for (const auto& [x, y] : points) {
    xy += (std::log(x) - x_mean) * (std::log(y) - y_mean);
    xx += (std::log(x) - x_mean) * (std::log(x) - x_mean);
  }
  return xy / xx;
}

std::vector<growth> by_size(const results& all) {
  // By the size's place, title and value, then by system, then by size.
  std::vector<growth> found;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (const named_row& one : names_of(all)) {
    const std::string system = one.system ? one.name[*one.system] : "";
    for (std::size_t i = 1; i < one.name.size(); ++i) {
      const double size = is_size(one.name[i]) ? std::atof(one.name[i].c_str()) : 0;
      if (size == 0) {
        continue;
      }
      parts title = one.name;
      title[i] = any;
      if (one.system) {
        title[*one.system] = any;
      }
      for (const std::string& value : headlines(*one.of)) {
        const double measured = spread_of(*one.of, value)->median;
        if (measured <= 0) {
          continue;  // There is no logarithm of it.
        }
        const auto [at, is_new] =
            places.try_emplace({absl::StrJoin(title, "/"), value}, found.size());
        if (is_new) {
          found.push_back({absl::StrJoin(title, "/"), value, {}});
        }
        auto& lines = found[at->second].lines;
        auto line = std::ranges::find(lines, system, &growth::line::system);
        if (line == lines.end()) {
          line = lines.insert(line, {system, {}});
        }
        line->points.emplace_back(size, measured);
      }
    }
  }
  for (growth& each : found) {
    for (growth::line& line : each.lines) {
      std::ranges::sort(line.points);
    }
    std::erase_if(each.lines, [](const growth::line& line) {
      return line.points.size() < 3 || line.points.back().first < 10 * line.points.front().first;
    });
  }
  std::erase_if(found, [](const growth& each) { return each.lines.empty(); });
  return found;
}

}  // namespace bench::report
