// How long a row measures: rounds of a fixed time, whatever a system makes of it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "bench/support/row.h"

namespace bench::waiting_suite {

// `round` does so many of what is counted, a multiple of 64, and gives the nanoseconds that they took; also to warm up.
// The median round is what counts, for a scheduler may be lucky.
template <class Round>
numbers median_of_rounds(const setting& at, Round round) {
  const double wanted_ns = at.quick ? 20e6 : 100e6;
  std::size_t count = 64;
  double ns = round(count);
  while (ns < wanted_ns / 10) {
    count *= 4;
    ns = round(count);
  }
  count = std::max<std::size_t>(
      64, static_cast<std::size_t>(static_cast<double>(count) * wanted_ns / ns) / 64 * 64);
  std::array<double, 5> each = {};
  for (double& one : each) {
    one = round(count) / static_cast<double>(count);
  }
  std::ranges::sort(each);
  const double median = each[each.size() / 2];
  return numbers(median).add("items_per_second", 1e9 / median).add("ns_least", each.front());
}

}  // namespace bench::waiting_suite
