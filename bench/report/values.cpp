// The house's manner of naming values, read backwards.
#include "bench/report/values.h"

#include <absl/strings/str_format.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>

#include "bench/support/median.h"

namespace bench::report {
namespace {

using words = std::vector<std::string>;

bool has(const words& all, std::string_view wanted) {
  return std::ranges::find(all, wanted) != all.end();
}

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

// "99" and "999", which is 99.9.
double percent_of(std::string_view digits) {
  double percent = 0;
  double place = 10;
  for (const char digit : digits) {
    percent += (digit - '0') * place;
    place /= 10;
  }
  return percent;
}

struct scale {
  double one;
  const char* name;
};

std::string scaled(double value, std::span<const scale> scales) {
  const scale* fit = scales.data();
  for (const scale& each : scales) {
    // What would be rounded to 1000 of one unit is 1 of the next.
    if (std::abs(value) >= each.one * 0.9995) {
      fit = &each;
    }
  }
  const double shown = value / fit->one;
  return (std::abs(shown) >= 1000 ? absl::StrFormat("%.0f", shown)
                                  : absl::StrFormat("%.3g", shown)) +
         fit->name;
}

}  // namespace

value_kind kind_of(std::string_view value) {
  const words all = absl::StrSplit(std::string(value), '_');
  if (value == time_value || has(all, "ns")) {
    return {unit::ns, better::less};
  }
  if (has(all, "bytes")) {
    return {unit::bytes, better::less};
  }
  if (has(all, "kib")) {
    return {unit::kib, better::less};
  }
  if (value.starts_with("percent_")) {
    return {unit::percent, all[1] == "within"           ? better::more
                           : value.ends_with("of_core") ? better::less
                                                        : better::neither};
  }
  if (value.ends_with("_per_second")) {
    return {unit::plain, better::more};
  }
  return {unit::plain, all.front() == "ratio" ? better::less : better::neither};
}

std::string text_of(double value, unit in) {
  static constexpr scale times[] = {{1, " ns"}, {1e3, " us"}, {1e6, " ms"}, {1e9, " s"}};
  static constexpr scale sizes[] = {{1, " bytes"}, {1024, " KiB"}, {1024.0 * 1024, " MiB"}};
  static constexpr scale counts[] = {{1, ""}, {1e3, " k"}, {1e6, " M"}, {1e9, " G"}};
  if (!std::isfinite(value)) {
    return "-";
  }
  switch (in) {
    case unit::ns:
      return scaled(value, times);
    case unit::bytes:
      return scaled(value, sizes);
    case unit::kib:
      return scaled(value * 1024, sizes);
    case unit::percent:
      return absl::StrFormat("%.3g %%", value);
    case unit::plain:
      break;
  }
  return scaled(value, counts);
}

std::optional<percentile> percentile_of(std::string_view value) {
  const words all = absl::StrSplit(std::string(value), '_');
  if (!has(all, "ns")) {
    return {};
  }
  percentile found = {"", 0};
  for (std::size_t i = 0; i != all.size(); ++i) {
    const std::string& word = all[i];
    const std::string digits = word.substr(std::min<std::size_t>(word.size(), 1));
    if (word == "max" || word == "last") {
      found.percent = 100;
    } else if (word.starts_with('p') && is_digits(digits)) {
      found.percent = percent_of(digits);
    } else if (found.percent > 0 && is_digits(word)) {
      found.percent += percent_of(word) / 100;
    } else if (word != "ns") {
      found.of += (found.of.empty() ? "" : "_") + word;
    }
  }
  if (found.percent == 0) {
    return {};
  }
  return found;
}

std::vector<std::string> headlines(const row& one) {
  std::vector<std::string> found;
  for (const char* value : {"observed_p999_ns", "join_p50_ns", "cancel_returns_p50_ns"}) {
    if (one.values.contains(value)) {
      found.emplace_back(value);
    }
  }
  return found.empty() ? std::vector<std::string>{time_value} : found;
}

std::optional<spread> spread_of(std::span<const double> repetitions) {
  if (repetitions.empty()) {
    return {};
  }
  const auto [least, most] = std::ranges::minmax(repetitions);
  return spread{median({repetitions.begin(), repetitions.end()}), least, most, repetitions.size()};
}

std::optional<spread> spread_of(const row& one, const std::string& value) {
  return spread_of(one.repetitions(value));
}

}  // namespace bench::report
