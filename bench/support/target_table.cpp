// How targets are laid out.
#include "bench/support/target_table.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <ostream>
#include <string_view>
#include <utility>

#include "bench/support/median.h"

namespace bench {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

void print(std::ostream& out, target_line one, bool void_table) {
  one.what.resize(46, ' ');
  std::string wanted =
      std::string(one.at_most ? "at most " : "at least ") + number("%g ", one.limit) + one.unit;
  wanted.resize(26, ' ');
  out << one.what << wanted;
  if (std::isnan(one.measured)) {
    out << "         -\n";
    return;
  }
  out << number("%10.4g", one.measured)
      << (void_table     ? "  void\n"
          : one.missed() ? "  missed\n"
                         : "  met\n");
}

// Of one row; null: what each costs.
double median_of_runs(const std::vector<numbers>& runs, const char* value) {
  std::vector<double> values;
  for (const numbers& run : runs) {
    if (value == nullptr) {
      values.push_back(run.ns_each());
      continue;
    }
    const auto named = run.values();
    const auto found = std::ranges::find(named, std::string_view(value), &numbers::named::name);
    values.push_back(found == named.end() ? nan : found->value);
  }
  return median(std::move(values));
}

}  // namespace

double target_table::median(const char* rows, const char* value, choice of) const {
  double chosen = nan;
  for (const auto& [name, runs] : runs_) {
    if (fnmatch(rows, name.c_str(), FNM_PATHNAME | FNM_EXTMATCH) == 0) {
      const double each = median_of_runs(runs, value);
      chosen = of == choice::least ? std::fmin(chosen, each) : std::fmax(chosen, each);
    }
  }
  return chosen;
}

std::vector<target_line> target_table::lines() const {
  if (runs_.empty()) {
    return {};
  }
  const auto worst = [](bool at_most) { return at_most ? choice::most : choice::least; };
  const auto best = [](bool at_most) { return at_most ? choice::least : choice::most; };
  std::vector<target_line> all;
  for (const target& one : conditions_) {
    all.push_back({one.what, one.at_most, one.limit, one.unit_name,
                   median(one.row, one.value, best(one.at_most)) / one.unit, true});
  }
  for (const target& one : targets_) {
    all.push_back({one.what, one.at_most, one.limit, one.unit_name,
                   median(one.row, one.value, worst(one.at_most)) / one.unit});
  }
  for (const comparison& one : comparisons_) {
    const double measured = median(one.numerator, one.value, worst(one.at_most));
    const double beside = median(one.denominator, one.value, best(one.at_most));
    all.push_back({one.what, one.at_most, one.limit, one.unit_name,
                   one.scale * (one.difference ? measured - beside : measured / beside)});
  }
  return all;
}

void print_targets(std::ostream& out, std::span<const target_line> lines) {
  if (lines.empty()) {
    return;
  }
  const auto unmet = std::ranges::find_if(
      lines, [](const target_line& one) { return one.condition && one.missed(); });
  out << "target                                                                  measured\n";
  for (const target_line& one : lines) {
    print(out, one, unmet != lines.end());
  }
  if (unmet != lines.end()) {
    out << "void: this run says nothing, for a condition was missed: " << unmet->what << '\n';
  }
}

}  // namespace bench
