// Two runs side by side.
#include "bench/report/changes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "bench/report/groups.h"
#include "bench/report/values.h"
#include "bench/support/median.h"

namespace bench::report {
namespace {

using suite_and_value = std::pair<std::string, std::string>;

double relative_width(const spread& of) {
  return of.median == 0 ? 0 : of.width() / std::abs(of.median);
}

// How far apart, by proportion, the repetitions of half of a suite's rows lie at most.
std::map<suite_and_value, double> usual_noise(const results& before, const results& after) {
  std::map<suite_and_value, std::vector<double>> widths;
  for (const results* run : {&before, &after}) {
    for (const row& one : run->rows) {
      for (const auto& [value, repetitions] : one.values) {
        if (repetitions.size() > 1) {
          widths[{one.suite(), value}].push_back(relative_width(*spread_of(repetitions)));
        }
      }
    }
  }
  std::map<suite_and_value, double> usual;
  for (auto& [of, all] : widths) {
    usual[of] = median(std::move(all));
  }
  return usual;
}

// Rows of systems whose code we do not change.
std::set<std::string> rows_of_others(const results& all) {
  std::set<std::string> names;
  for (const group& each : by_system(all)) {
    for (const auto& [system, of] : each.rows) {
      if (!system.starts_with(own_system)) {
        names.insert(of->name);
      }
    }
  }
  return names;
}

double drift_of(const std::set<std::string>& others, const results& before, const results& after) {
  std::vector<double> drifts;
  for (const row& now : after.rows) {
    const row* const then = others.contains(now.name) ? before.find(now.name) : nullptr;
    for (const std::string& value : headlines(now)) {
      const auto new_spread = spread_of(now, value);
      const auto old_spread = then == nullptr ? std::nullopt : spread_of(*then, value);
      if (old_spread && new_spread && old_spread->median > 0) {
        drifts.push_back(std::abs(new_spread->median / old_spread->median - 1));
      }
    }
  }
  if (drifts.empty()) {
    return 0;
  }
  std::ranges::sort(drifts);
  return drifts[drifts.size() * 19 / 20];
}

verdict judge(const spread& before, const spread& after, double noise, better when) {
  if (before.count < 2 || after.count < 2) {
    return verdict::unknown;
  }
  const bool overlap = before.least <= after.most && after.least <= before.most;
  if (overlap || std::abs(after.median - before.median) <= noise) {
    return verdict::noise;
  }
  return (after.median < before.median) == (when == better::less) ? verdict::better
                                                                  : verdict::worse;
}

}  // namespace

const char* word_for(verdict of) {
  switch (of) {
    case verdict::better:
      return "better";
    case verdict::worse:
      return "worse";
    case verdict::noise:
      return "within the noise";
    case verdict::unknown:
      break;
  }
  return "not to be judged";
}

double change::percent() const {
  return before == 0 ? 0 : 100 * (after - before) / std::abs(before);
}

double change::noise_percent() const {
  return before == 0 ? 0 : 100 * noise / std::abs(before);
}

std::size_t changes::count(verdict of) const {
  return static_cast<std::size_t>(std::ranges::count(all, of, &change::what));
}

std::vector<change> changes::with(verdict of) const {
  std::vector<change> some;
  std::ranges::copy_if(all, std::back_inserter(some),
                       [&](const change& each) { return each.what == of; });
  std::ranges::sort(some, std::greater<>(), [](const change& each) {
    const auto [smaller, larger] = std::minmax({std::abs(each.before), std::abs(each.after)});
    return std::tuple(smaller == 0 ? 0 : larger / smaller, each.row, each.value);
  });
  return some;
}

changes compare(const results& before, const results& after) {
  changes found = {};
  const auto usual = usual_noise(before, after);
  const std::set<std::string> others = rows_of_others(after);
  found.drift = drift_of(others, before, after);
  for (const row& now : after.rows) {
    const row* const then = before.find(now.name);
    if (then == nullptr) {
      found.only_after.push_back(now.name);
      continue;
    }
    for (const auto& [value, repetitions] : now.values) {
      const auto new_spread = spread_of(repetitions);
      const auto old_spread = spread_of(*then, value);
      const better when = kind_of(value).when;
      if (!old_spread || when == better::neither || others.contains(now.name)) {
        continue;
      }
      const auto at = usual.find({now.suite(), value});
      const double usually = std::max(found.drift, at == usual.end() ? 0 : at->second);
      const double noise = std::max(
          {usually * std::abs(old_spread->median), old_spread->width(), new_spread->width()});
      found.all.push_back({now.name, value, old_spread->median, new_spread->median, noise,
                           judge(*old_spread, *new_spread, noise, when)});
    }
  }
  for (const row& then : before.rows) {
    if (after.find(then.name) == nullptr) {
      found.only_before.push_back(then.name);
    }
  }
  for (const target& now : after.targets) {
    for (const target& then : before.targets) {
      if (then.suite == now.suite && then.what == now.what && fate_of(then) != fate_of(now)) {
        found.targets.push_back({now, then});
      }
    }
  }
  static const std::set<std::string> of_one_run = {"date", "executable", "load_avg", "mhz_per_cpu"};
  for (const auto& [key, now] : after.context) {
    const std::string then = before.context_of(key);
    if (!of_one_run.contains(key) && then != now) {
      found.contexts.push_back({key, then, now});
    }
  }
  return found;
}

}  // namespace bench::report
