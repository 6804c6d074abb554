// How targets are laid out.
#include "bench/support/target_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <ostream>
#include <string_view>

namespace bench {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

void print_line(std::ostream& out, std::string what, bool at_most, double limit, double measured,
                const char* unit) {
  what.resize(46, ' ');
  std::string wanted =
      std::string(at_most ? "at most " : "at least ") + number("%g ", limit) + unit;
  wanted.resize(26, ' ');
  out << what << wanted;
  if (std::isnan(measured)) {
    out << "         -\n";
    return;
  }
  const bool met = at_most ? measured <= limit : measured >= limit;
  out << number("%10.4g", measured) << (met ? "  met\n" : "  missed\n");
}

}  // namespace

double target_table::median(const std::string& row_name, const char* value) const {
  const auto runs = runs_.find(row_name);
  if (runs == runs_.end()) {
    return nan;
  }
  std::vector<double> values;
  for (const numbers& run : runs->second) {
    if (value == nullptr) {
      values.push_back(run.ns_each());
      continue;
    }
    const auto named = run.values();
    const auto found = std::ranges::find(named, std::string_view(value), &numbers::named::name);
    values.push_back(found == named.end() ? nan : found->value);
  }
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void target_table::print(std::ostream& out) const {
  out << "target                                                                  measured\n";
  for (const target& one : targets_) {
    print_line(out, one.what, one.at_most, one.limit, median(one.row, one.value) / one.unit,
               one.unit_name);
  }
  for (const comparison& one : comparisons_) {
    print_line(out, one.what, one.at_most, one.limit,
               one.scale * median(one.numerator, one.value) / median(one.denominator, one.value),
               one.unit_name);
  }
}

}  // namespace bench
