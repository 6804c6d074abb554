// The best peer of each row, beside coppice.
#include "bench/report/losses.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "bench/report/groups.h"
#include "bench/report/values.h"

namespace bench::report {
namespace {

struct contestant {
  std::string system;
  spread measured;
};

bool overlap(const spread& one, const spread& other) {
  return one.least <= other.most && other.least <= one.most;
}

bool too_few(const spread& of) {
  return of.count < 2;
}

}  // namespace

standings compare_with_peers(const results& all) {
  standings found;
  for (const group& each : by_system(all)) {
    const row& own = *each.rows.front().of;
    for (const std::string& value : headlines(own)) {
      const std::optional<spread> ours = spread_of(own, value);
      std::optional<contestant> best;
      for (const auto& [system, of] : each.rows) {
        const std::optional<spread> measured = spread_of(*of, value);
        if (standing_of(system) == standing::peer && measured &&
            (!best || measured->median < best->measured.median)) {
          best = {system, *measured};
        }
      }
      if (!ours || !best || standing_of(each.rows.front().label) != standing::ours) {
        continue;
      }
      ++found.compared;
      if (best->measured.median < ours->median) {
        const bool unclear = too_few(*ours) || too_few(best->measured);
        found.losses.push_back({each.title, value, best->system, ours->median,
                                best->measured.median, unclear || overlap(*ours, best->measured)});
      }
    }
  }
  std::ranges::sort(found.losses, std::greater<>(),
                    [](const loss& one) { return std::pair(one.factor(), one.title); });
  return found;
}

}  // namespace bench::report
