// From groups of rows to charts.
#include "bench/report/figures.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>

#include "bench/report/chart.h"
#include "bench/report/markup.h"
#include "bench/report/values.h"

namespace bench::report {
namespace {

// The same system looks the same in every chart.
int kind_of_system(const std::string& system, std::size_t place) {
  static const std::map<std::string, int> known = {
      {"coppice", 0},        {"onetbb", 1}, {"malloc", 1}, {"std", 2},
      {"std_stop_token", 2}, {"asio", 3},   {"go", 4},     {"asyncio", 5},
      {"coppice_bare", 6},   {"limit1", 6}, {"limit", 8},  {"limit2", 8},
      {"onetbb_shared", 7},  {"serial", 8}, {"futex", 8},  {"coppice_gather", 7}};
  const auto found = known.find(system);
  return found == known.end() ? 1 + static_cast<int>(place % (kinds - 1)) : found->second;
}

int kind_of(const labelled& of, std::size_t place, bool systems) {
  return systems ? kind_of_system(of.label, place) : static_cast<int>(place % kinds);
}

std::string legend(const std::vector<std::pair<std::string, int>>& entries) {
  std::string items;
  for (const auto& [label, kind] : entries) {
    absl::StrAppend(&items, "<li>", swatch(kind), escaped(label), "</li>");
  }
  return absl::StrCat("<ul class=\"legend\">", items, "</ul>\n");
}

std::string figure(const std::string& title, const std::string& subtitle,
                   const std::string& picture, const table& numbers) {
  return absl::StrCat("<figure><figcaption><b>", escaped(title), "</b>", escaped(subtitle),
                      "</figcaption>\n", picture, details("The numbers", numbers.html()),
                      "</figure>\n");
}

std::string times(double ratio) {
  return ratio >= 100 ? absl::StrFormat("%.0fx", ratio) : absl::StrFormat("%.2gx", ratio);
}

// 90, 99 and 99.9 are as far apart from each other as 0 from 90; behind them the last of all.
double place_of(double percent, double last) {
  return percent >= 100 ? last + 1 : -std::log10(1 - percent / 100);
}

std::string name_of(double percent) {
  return percent >= 100 ? "max" : absl::StrFormat("p%g", percent);
}

// Medians by percent, of one distribution of a row.
std::map<double, double> distribution_of(const row& one, const std::string& name) {
  std::map<double, double> found;
  for (const auto& [value, repetitions] : one.values) {
    const auto at = percentile_of(value);
    const double middle = spread_of(repetitions)->median;
    if (at && at->of == name && middle > 0) {
      found[at->percent] = middle;
    }
  }
  return found;
}

bool is_of(const group& one, const std::string& suite) {
  return one.rows.front().of->suite() == suite;
}

}  // namespace

figure_maker::figure_maker(const results& all)
    : systems_(by_system(all)), circumstances_(by_circumstance(all)), growths_(by_size(all)) {}

std::string figure_maker::next_id() {
  return absl::StrCat("f", ++made_);
}

std::string figure_maker::bars(const group& of, const std::string& value, bool systems) {
  const unit in = report::kind_of(value).in;
  table numbers(absl::StrCat(of.title, ": ", value), {{systems ? "system" : "*", false},
                                                      {"median", true},
                                                      {"least", true},
                                                      {"most", true},
                                                      {"repetitions", true}});
  std::vector<bar> all;
  std::string said;
  for (const labelled& each : of.rows) {
    const auto measured = spread_of(*each.of, value);
    if (!measured) {
      continue;
    }
    const double first = all.empty() ? 0 : all.front().value.median;
    all.push_back({each.label, systems ? kind_of_system(each.label, all.size()) : 0, *measured,
                   first > 0 ? times(measured->median / first) : ""});
    numbers.add({{each.label},
                 {text_of(measured->median, in)},
                 {text_of(measured->least, in)},
                 {text_of(measured->most, in)},
                 {absl::StrCat(measured->count)}});
    absl::StrAppend(&said, said.empty() ? "" : "; ", each.label, " ",
                    text_of(measured->median, in));
  }
  if (all.size() < 2) {
    return "";
  }
  const std::string subtitle =
      absl::StrCat(value, needs_log_axis(all) ? ", on a log axis" : "", ", less is better");
  return figure(of.title, subtitle,
                bar_chart({next_id(), absl::StrCat(of.title, ", ", value), said}, all, in),
                numbers);
}

std::string figure_maker::curves_of(const group& of, const std::string& distribution,
                                    bool systems) {
  std::set<double> percents;
  for (const labelled& each : of.rows) {
    for (const auto& [percent, value] : distribution_of(*each.of, distribution)) {
      percents.insert(percent);
    }
  }
  double last = 0;
  std::vector<tick> ticks;
  std::vector<column> columns = {{systems ? "system" : "*", false}};
  for (const double percent : percents) {
    ticks.push_back({place_of(percent, last), name_of(percent)});
    last = ticks.back().at;
    columns.push_back({ticks.back().text, true});
  }
  const std::string title = absl::StrCat(distribution, distribution.empty() ? "" : ", ",
                                         "by percentile, on a log axis, less is better");
  table numbers(absl::StrCat(of.title, ": ", title), columns);
  std::vector<curve> all;
  std::vector<std::pair<std::string, int>> entries;
  const double before_max =
      percents.contains(100) && ticks.size() > 1 ? ticks[ticks.size() - 2].at : 0;
  for (const labelled& each : of.rows) {
    const auto points = distribution_of(*each.of, distribution);
    if (points.size() < 2) {
      continue;
    }
    curve one = {kind_of(each, all.size(), systems), {}};
    std::vector<cell> cells = {{each.label}};
    for (const double percent : percents) {
      const auto at = points.find(percent);
      cells.push_back({at == points.end() ? "-" : text_of(at->second, unit::ns)});
      if (at != points.end()) {
        one.points.emplace_back(place_of(percent, before_max), at->second);
      }
    }
    numbers.add(cells);
    entries.emplace_back(each.label, one.kind);
    all.push_back(one);
  }
  if (percents.size() < 3 || all.empty()) {
    return "";
  }
  std::vector<std::string> labels;
  for (const auto& [label, kind] : entries) {
    labels.push_back(label);
  }
  const caption words = {
      next_id(), absl::StrCat(of.title, ", ", title),
      absl::StrCat("Curves of ", absl::StrJoin(labels, ", "), "; the table has their numbers.")};
  return figure(of.title, title,
                curve_chart(words, all, ticks, "percentile", unit::ns) + legend(entries), numbers);
}

void figure_maker::add_distributions(const group& from, bool systems,
                                     std::vector<std::string>& to) {
  std::set<std::string> names;
  for (const labelled& each : from.rows) {
    for (const auto& [value, repetitions] : each.of->values) {
      if (const auto at = percentile_of(value)) {
        names.insert(at->of);
      }
    }
  }
  for (const std::string& name : names) {
    to.push_back(curves_of(from, name, systems));
  }
}

std::string figure_maker::sizes_of(const growth& of) {
  std::set<double> sizes;
  for (const growth::line& line : of.lines) {
    for (const auto& [size, value] : line.points) {
      sizes.insert(size);
    }
  }
  const unit in = report::kind_of(of.value).in;
  std::vector<tick> ticks;
  std::vector<column> columns = {{"system", false}, {"exponent", true}};
  for (const double size : sizes) {
    ticks.push_back({std::log10(size), text_of(size, unit::plain)});
    columns.push_back({ticks.back().text, true});
  }
  table numbers(absl::StrCat(of.title, ": ", of.value), columns);
  std::vector<curve> all;
  std::vector<std::pair<std::string, int>> entries;
  for (const growth::line& line : of.lines) {
    const std::string name = line.system.empty() ? own_system : line.system;
    const std::string exponent = absl::StrFormat("%.2f", line.exponent());
    curve one = {kind_of_system(name, all.size()), {}};
    std::vector<cell> cells = {{name}, {exponent}};
    for (const double size : sizes) {
      const auto at = std::ranges::find(line.points, size, &std::pair<double, double>::first);
      cells.push_back({at == line.points.end() ? "-" : text_of(at->second, in)});
      if (at != line.points.end()) {
        one.points.emplace_back(std::log10(size), at->second);
      }
    }
    numbers.add(cells);
    entries.emplace_back(absl::StrCat(name, ": exponent ", exponent), one.kind);
    all.push_back(one);
  }
  const std::string subtitle = absl::StrCat(of.value, " by size, on log axes, less is better");
  const caption words = {next_id(), absl::StrCat(of.title, ", ", subtitle),
                         "The table has the numbers, with the exponent of each."};
  return figure(of.title, subtitle, curve_chart(words, all, ticks, "size", in) + legend(entries),
                numbers);
}

figures figure_maker::of(const std::string& suite) {
  figures made;
  // The most important value of all rows comes before the next.
  std::vector<std::vector<std::string>> by_value;
  std::set<const row*> beside_others;  // Whose distributions are shown there.
  for (const group& each : systems_) {
    if (is_of(each, suite)) {
      const std::vector<std::string> values = headlines(*each.rows.front().of);
      by_value.resize(std::max(by_value.size(), values.size()));
      for (std::size_t i = 0; i != values.size(); ++i) {
        by_value[i].push_back(bars(each, values[i], true));
      }
      add_distributions(each, true, made.distributions);
      beside_others.insert(each.rows.front().of);
    }
  }
  for (const auto& some : by_value) {
    made.systems.insert(made.systems.end(), some.begin(), some.end());
  }
  for (const group& each : circumstances_) {
    if (is_of(each, suite)) {
      made.circumstances.push_back(bars(each, headlines(*each.rows.front().of).front(), false));
      if (!beside_others.contains(each.rows.front().of)) {
        add_distributions(each, false, made.distributions);
      }
    }
  }
  for (const growth& each : growths_) {
    if (each.title.starts_with(suite + "/")) {
      made.sizes.push_back(sizes_of(each));
    }
  }
  for (auto* some : {&made.systems, &made.distributions, &made.sizes, &made.circumstances}) {
    std::erase(*some, "");
  }
  return made;
}

}  // namespace bench::report
