// What a terminal shows when all is measured: verdicts, losses, growth, changes.
#include "bench/report/summary.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "bench/report/groups.h"
#include "bench/report/losses.h"
#include "bench/report/values.h"

namespace bench::report {
namespace {

// The page has the others.
constexpr std::size_t lines_at_once = 16;

std::string and_more(std::size_t all) {
  return all <= lines_at_once ? "" : absl::StrFormat("  ... and %d more\n", all - lines_at_once);
}

template <class T>
std::span<const T> shown(const std::vector<T>& all) {
  return std::span(all).first(std::min(all.size(), lines_at_once));
}

std::string head(const results& all) {
  return absl::StrFormat(
      "measured  %s, commit %s%s\nwith      %s, %s\non        %s, %s, %s\n", all.context_of("date"),
      all.context_of("commit"),
      all.context_of("quick") == "no" ? "" : ", --quick: these figures say little",
      all.context_of("compiler"), all.context_of("flags"), all.context_of("cpu"),
      all.context_of("memory"), all.context_of("system"));
}

std::string targets(const results& all) {
  std::map<fate, std::size_t> counts;
  std::string missed;
  for (const target& one : all.targets) {
    const fate now = fate_of(one);
    ++counts[now];
    if (now == fate::missed) {
      absl::StrAppendFormat(
          &missed, "  %-12s %-48s %s %g, is %.4g %s%s\n", one.suite, one.what,
          one.at_most ? "at most" : "at least", one.limit, one.measured, one.unit,
          one.condition ? ": a condition, without which the others are void" : "");
    }
  }
  return absl::StrFormat("\ntargets: %d met, %d missed, %d not measured, %d void\n",
                         counts[fate::met], counts[fate::missed], counts[fate::not_measured],
                         counts[fate::is_void]) +
         missed;
}

std::string losses(const results& all) {
  const standings now = compare_with_peers(all);
  std::string text =
      absl::StrFormat("\nwhere we lose: in %d of %d comparisons another system is faster\n",
                      now.losses.size(), now.compared);
  for (const loss& one : shown(now.losses)) {
    const unit in = kind_of(one.value).in;
    absl::StrAppendFormat(&text, "  %.2fx  %s, %s: %s %s, coppice %s%s\n", one.factor(), one.title,
                          one.value, one.peer, text_of(one.theirs, in), text_of(one.ours, in),
                          one.within_noise ? "; their repetitions overlap, or are too few" : "");
  }
  return text + and_more(now.losses.size());
}

std::string failures(const results& all) {
  std::string text;
  for (const row& one : all.rows) {
    if (!one.failure.empty()) {
      absl::StrAppend(&text, text.empty() ? "\nrows that failed\n" : "", "  ", one.name, ": ",
                      one.failure, "\n");
    }
  }
  return text;
}

std::string growths(const results& all) {
  std::string text;
  for (const growth& each : by_size(all)) {
    for (const growth::line& line : each.lines) {
      if (!line.system.empty() && standing_of(line.system) != standing::ours) {
        continue;
      }
      absl::StrAppendFormat(&text, "%s  %5.2f  %s, %s%s%s\n",
                            text.empty() ? "\ngrowth: the exponent of the size\n" : "",
                            line.exponent(), each.title, each.value,
                            line.system.empty() ? "" : ": ", line.system);
    }
  }
  return text;
}

std::string changed(const changes& since) {
  std::string text = absl::StrFormat(
      "\nsince the other run: %d values of coppice better, %d worse, %d within the noise, %d not "
      "to be "
      "judged; %d rows new, %d gone\n",
      since.count(verdict::better), since.count(verdict::worse), since.count(verdict::noise),
      since.count(verdict::unknown), since.only_after.size(), since.only_before.size());
  if (since.drift > 0) {
    absl::StrAppendFormat(&text, "19 of 20 values of other systems changed by at most %.1f%%\n",
                          100 * since.drift);
  }
  for (const auto& [key, before, after] : since.contexts) {
    absl::StrAppend(&text, "  ", key, ": ", before, " -> ", after, "\n");
  }
  for (const auto& [now, then] : since.targets) {
    absl::StrAppendFormat(&text, "  target now %s, was %s: %s, %.4g -> %.4g %s\n",
                          word_for(fate_of(now)), word_for(fate_of(then)), now.what, then.measured,
                          now.measured, now.unit);
  }
  for (const verdict of : {verdict::worse, verdict::better}) {
    const std::vector<change> some = since.with(of);
    for (const change& one : shown(some)) {
      const unit in = kind_of(one.value).in;
      absl::StrAppendFormat(&text, "  %-6s  %+7.1f %%  (noise %.1f %%)  %s, %s: %s -> %s\n",
                            word_for(of), one.percent(), one.noise_percent(), one.row, one.value,
                            text_of(one.before, in), text_of(one.after, in));
    }
    text += and_more(some.size());
  }
  return text;
}

}  // namespace

std::string summary(const results& all, const changes* since) {
  return head(all) + targets(all) + losses(all) + failures(all) + growths(all) +
         (since == nullptr ? "" : changed(*since));
}

}  // namespace bench::report
