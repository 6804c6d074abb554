// Medians, ratios and their layout.
#include "bench/support/forkjoin_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <ostream>
#include <tuple>

#include "bench/support/median.h"

namespace bench {
namespace {

std::vector<double> seconds(const std::vector<measurement>& runs) {
  std::vector<double> all;
  for (const measurement& run : runs) {
    all.push_back(run.seconds);
  }
  return all;
}

std::string text(const char* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

std::string right_aligned(std::string_view cell, std::size_t width) {
  return std::string(width - std::min(width, cell.size()), ' ').append(cell);
}

}  // namespace

void forkjoin_table::add(const contender& system, unsigned threads, problem one,
                         const measurement& result) {
  auto in = std::ranges::find_if(
      lines_, [&](const line& known) { return known.what == one && known.threads == threads; });
  if (in == lines_.end()) {
    in = lines_.insert(in, line{one, threads, {}});
  }
  auto at = std::ranges::find(in->cells, system.name, &cell::system);
  if (at == in->cells.end()) {
    at = in->cells.insert(at, cell{system.name, {}});
  }
  at->runs.push_back(result);
}

const forkjoin_table::cell* forkjoin_table::find(const line& in, std::string_view system) noexcept {
  const auto at = std::ranges::find(in.cells, system, &cell::system);
  return at == in.cells.end() ? nullptr : &*at;
}

double forkjoin_table::ratio(const cell* of, const cell* to) {
  return of == nullptr || to == nullptr ? std::numeric_limits<double>::quiet_NaN()
                                        : median(seconds(of->runs)) / median(seconds(to->runs));
}

double forkjoin_table::ratio(const contender& of, const contender& to, problem one,
                             unsigned threads) const {
  const auto in = std::ranges::find_if(
      lines_, [&](const line& known) { return known.what == one && known.threads == threads; });
  return in == lines_.end() ? std::numeric_limits<double>::quiet_NaN()
                            : ratio(find(*in, of.name), find(*in, to.name));
}

void forkjoin_table::print(std::ostream& out) const {
  // Milliseconds as median and minimum, wall nanoseconds a task, and the peak of memory.
  const auto columns = [](const line& in, const cell* of) {
    std::string row;
    if (of == nullptr) {
      return right_aligned("-", 10) + right_aligned("-", 10) + right_aligned("-", 9) +
             right_aligned("-", 8);
    }
    const std::vector<double> all = seconds(of->runs);
    const double middle = median(all);
    const long rss =
        std::ranges::max_element(of->runs, {}, &measurement::peak_rss_kib)->peak_rss_kib;
    row += right_aligned(text("%.1f", middle * 1e3), 10);
    row += right_aligned(text("%.1f", *std::ranges::min_element(all) * 1e3), 10);
    row += right_aligned(text("%.2f", middle * 1e9 / static_cast<double>(task_count(in.what))), 9);
    row += right_aligned(text("%.1f", static_cast<double>(rss) / 1024), 8);
    return row;
  };
  const char* const heads = "    ms med    ms min  ns/task  RSS MB";
  out << "                       |                coppice                |"
      << "                oneTBB                |\n"
      << "program       threads  |" << heads << "  |" << heads << "  |  times as fast\n";
  std::vector<line> lines = lines_;
  std::ranges::sort(
      lines, {}, [](const line& of) { return std::tuple(of.what.what, of.what.size, of.threads); });
  std::map<unsigned, std::vector<double>> ratios;
  for (const line& in : lines) {
    const cell* const ours = find(in, coppice_contender.name);
    const cell* const theirs = find(in, onetbb_contender.name);
    if (ours == nullptr && theirs == nullptr) {
      continue;
    }
    std::string shown = "-";
    if (ours != nullptr && theirs != nullptr) {
      ratios[in.threads].push_back(ratio(theirs, ours));
      shown = text("%.2f", ratios[in.threads].back());
    }
    std::string title = name(in.what);
    title.resize(14, ' ');
    out << title << right_aligned(std::to_string(in.threads), 7) << "  |" << columns(in, ours)
        << "  |" << columns(in, theirs) << "  |" << right_aligned(shown, 15) << '\n';
  }
  for (const auto& [threads, all] : ratios) {
    double logarithms = 0;
    for (const double ratio : all) {
      logarithms += std::log(ratio);
    }
    out << "geometric mean of " << all.size() << " at " << threads
        << (threads == 1 ? " thread: " : " threads: ")
        << text("%.2f", std::exp(logarithms / static_cast<double>(all.size()))) << '\n';
  }
}

}  // namespace bench
