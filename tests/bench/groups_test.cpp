// Which rows are put beside each other, and who is faster.
#include "bench/report/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report/losses.h"
#include "tests/bench/synthetic.h"

namespace bench::report {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> labels_of(const group& of) {
  std::vector<std::string> labels;
  for (const labelled& each : of.rows) {
    labels.push_back(each.label);
  }
  return labels;
}

TEST(Groups, ASystemIsKnownByTheSameRowOfCoppice) {
  const results all = results_of({{"f/limit2/flat/10/event", {1}},
                                  {"f/unheard_of/flat/10/event", {2}},
                                  {"f/coppice/flat/10/event", {3}},
                                  {"f/coppice/deep/10/event", {3}},
                                  {"e/spawn/onetbb/2", {3}},
                                  {"e/spawn/coppice/2", {3}},
                                  {"e/other/2", {3}}});
  const std::vector<group> found = by_system(all);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].title, "f/*/flat/10/event");
  EXPECT_THAT(labels_of(found[0]), ElementsAre("coppice", "unheard_of", "limit2"));
  EXPECT_EQ(found[1].title, "e/spawn/*/2");
}

TEST(Groups, CircumstancesAreThoseOfCoppice) {
  const results all = results_of({{"f/coppice/flat/10/event", {1}},
                                  {"f/coppice/flat/10/timer", {1}},
                                  {"f/coppice/flat/10/channel", {1}},
                                  {"f/go/flat/10/event", {1}},
                                  {"f/go/flat/10/timer", {1}},
                                  {"f/go/flat/10/channel", {1}}});
  const std::vector<group> found = by_circumstance(all);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].title, "f/coppice/flat/10/*");
  EXPECT_THAT(labels_of(found[0]), ElementsAre("event", "timer", "channel"));
}

TEST(Growth, HasTheExponentOfAPowerLaw) {
  const results all = results_of({{"f/coppice/flat/100/x", {1e4}},
                                  {"f/coppice/flat/10/x", {1e2}},
                                  {"f/coppice/flat/1000/x", {1e6}},
                                  {"f/go/flat/10/x", {5}},
                                  {"f/go/flat/100/x", {5}},
                                  {"f/go/flat/1000/x", {5}}});
  const std::vector<growth> found = by_size(all);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].title, "f/*/flat/*/x");
  ASSERT_EQ(found[0].lines.size(), 2U);
  EXPECT_NEAR(found[0].lines[0].exponent(), 2, 1e-9);
  EXPECT_NEAR(found[0].lines[1].exponent(), 0, 1e-9);
}

TEST(Growth, NeedsThreeSizesADecadeApart) {
  EXPECT_TRUE(by_size(results_of({{"f/1/x", {1}}, {"f/100/x", {1}}})).empty());
  EXPECT_TRUE(by_size(results_of({{"f/1/x", {1}}, {"f/2/x", {1}}, {"f/4/x", {1}}})).empty());
  EXPECT_FALSE(by_size(results_of({{"f/1/x", {1}}, {"f/2/x", {1}}, {"f/10/x", {1}}})).empty());
}

TEST(Losses, AreToTheBestPeerAndNotToAFloor) {
  const standings found = compare_with_peers(results_of({{"f/coppice/x", {4, 4.1}},
                                                         {"f/go/x", {3, 3.1}},
                                                         {"f/asio/x", {2, 2.1}},
                                                         {"f/limit/x", {1, 1.1}},
                                                         {"f/coppice/y", {1, 1.1}},
                                                         {"f/go/y", {2, 2.1}}}));
  EXPECT_EQ(found.compared, 2U);
  ASSERT_EQ(found.losses.size(), 1U);
  EXPECT_EQ(found.losses[0].peer, "asio");
  EXPECT_FALSE(found.losses[0].within_noise);
}

TEST(Losses, SayWhereRepetitionsOverlap) {
  const auto within_noise = [](std::vector<double> ours, std::vector<double> theirs) {
    return compare_with_peers(results_of({{"f/coppice/x", ours}, {"f/go/x", theirs}}))
        .losses.at(0)
        .within_noise;
  };
  EXPECT_TRUE(within_noise({3, 4, 5}, {2, 3, 4}));
  EXPECT_TRUE(within_noise({4}, {2}));
  EXPECT_FALSE(within_noise({4, 5}, {2, 3}));
}

}  // namespace
}  // namespace bench::report
