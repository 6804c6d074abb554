// Does what one of many takes stay the same when there are ten times as many?
#include "bench/supervision/growing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "bench/support/child.h"
#include "bench/support/crowd.h"
#include "bench/unwind/failures.h"

namespace bench::supervision_suite {
namespace {

struct size_of_row {
  std::size_t size;
  const char* name;
};

constexpr std::array<size_of_row, 5> sizes = {{{100, "each_100"},
                                               {1'000, "each_1000"},
                                               {10'000, "each_10000"},
                                               {100'000, "each_100000"},
                                               {1'000'000, "each_1000000"}}};

using measured = double (*)(runtime& on, std::size_t size);

// The slope of the whole over the size, both as logarithms: 1 if each takes the same at every size.
double exponent(const std::vector<double>& log_size, const std::vector<double>& log_whole) {
  const auto count = static_cast<double>(log_size.size());
  double x = 0;
  double y = 0;
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i != log_size.size(); ++i) {
    x += log_size[i];
    y += log_whole[i];
    xx += log_size[i] * log_size[i];
    xy += log_size[i] * log_whole[i];
  }
  return (count * xy - x * y) / (count * xx - x * x);
}

// The least of as many rounds as a size allows, behind one that warms up.
double least_of_rounds(const setting& at, measured each, std::size_t size) {
  runtime on(options_for(at, others::search));
  static_cast<void>(each(on, size));
  std::vector<double> rounds(std::clamp<std::size_t>(at.scaled(200'000) / size, 5, 99));
  std::ranges::generate(rounds, [&] { return each(on, size); });
  return std::ranges::min(rounds);
}

// Memory that has been given back is not asked for again: of a new process the first round counts.
double first_round(const setting& at, measured each, std::size_t size) {
  runtime on(options_for(at, others::search));
  return each(on, size);
}

// Each size in a process of its own; the row's time is that of the largest.
template <measured Each, double (*Rounds)(const setting&, measured, std::size_t) = &least_of_rounds,
          std::size_t First = 0>
numbers growth(const setting& at) {
  const std::size_t last = First + (at.quick ? 3 : 4);
  std::vector<double> log_size;
  std::vector<double> log_whole;
  std::vector<double> values;
  for (std::size_t i = First; i != last; ++i) {
    const std::size_t size = sizes.at(i).size;
    values.push_back(in_child<double>(sizes.at(i).name, [&] { return Rounds(at, Each, size); }));
    log_size.push_back(std::log(static_cast<double>(size)));
    log_whole.push_back(std::log(values.back()) + log_size.back());
  }
  numbers result(values.back());
  for (std::size_t i = First; i != last; ++i) {
    result.add(sizes.at(i).name, values[i - First]);
  }
  return result.add("exponent", exponent(log_size, log_whole));
}

constexpr row rows[] = {
    {"growth/open_close", 1, &growth<&ns_to_open_and_close>},
    {"growth/spawn_join", 1, &growth<&ns_to_spawn_and_join>},
    {"growth/spawn_join", 2, &growth<&ns_to_spawn_and_join>},
    {"growth/suspend_and_resume", 1, &growth<&ns_to_suspend_and_resume>},
    {"growth/suspend_and_resume", 2, &growth<&ns_to_suspend_and_resume>},
    {"growth/collect_failures", 1, &growth<&unwind_suite::ns_to_collect>},
    {"growth/dump", 1, &growth<&ns_to_dump>},
    {"growth/sleeper_bytes", 1, &growth<&bytes_of_sleepers, &first_round, 1>},
};

}  // namespace

std::span<const row> growth_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
