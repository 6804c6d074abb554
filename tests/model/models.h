// What models say of themselves: that nothing is wrong, or what must be found once an order is weaker or a step left
// out. How far they are explored depends on the load (tests/support/load.h).
#pragma once

#include "tests/model/explorer.h"
#include "tests/model/weakening.h"
#include "tests/support/load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace coppice_model {

// `searched` and `drawn`: executions under the full load.
inline exploration under_load(long searched, long drawn) {
  using coppice::testing_support::rounds;
  exploration how;
  how.most_searched = static_cast<std::size_t>(rounds(searched, 3'000));
  how.drawn = static_cast<std::size_t>(rounds(drawn, 1'000));
  return how;
}

inline std::string told(const finding& found) {
  return found.wrong + "\n" + found.trace + "  after " + std::to_string(found.executions) +
         " executions; schedule " + found.schedule;
}

struct model {
  std::string name;
  std::function<void()> run;
  exploration how = {};
};

// Thread `frozen` stands still for ever after any of its steps, and the others come to their end all the same.
inline model frozen_at(model of, std::size_t frozen) {
  of.name += ", thread " + std::to_string(frozen) + " stands still";
  of.how.within = {.preemptions = 1, .delays = 0, .freezes = 1, .together = 2};
  of.how.of_each.frozen = frozen;
  return of;
}

// Under what the environment weakens, if anything.
inline void expect_sound(const model& sound) {
  const finding found = explore(sound.name, sound.run, sound.how);
  EXPECT_FALSE(found) << told(found) << "\n  again: MODEL_SCHEDULE='" << sound.name << ' '
                      << found.schedule << "'";
}

// What has a bug, planted on purpose, and must be seen to have it.
inline void expect_wrong(const model& planted) {
  EXPECT_TRUE(explore(planted.name, planted.run, planted.how))
      << planted.name << " is not found out";
}

// Of all orders in the file that bear one of the labels, those that could be a step weaker, for all that these models
// tell: the text of their lines, one a line.
inline std::string unneeded_orders(const std::string& file, const std::vector<std::string>& labels,
                                   const std::vector<model>& models) {
  std::vector<weakening> orders;
  for (const std::string& label : labels) {
    for (const weakening& each : labelled(file, label)) {
      if (std::find(orders.begin(), orders.end(), each) == orders.end()) {
        orders.push_back(each);
      }
    }
  }
  std::string unneeded;
  for (const weakening& each : orders) {
    weaken({each});
    if (std::none_of(models.begin(), models.end(), [](const model& one) {
          return static_cast<bool>(explore(one.name, one.run, one.how));
        })) {
      unneeded += text_at(each) + "\n";
    }
  }
  weaken({});
  return unneeded;
}

}  // namespace coppice_model
