// When a difference between two runs is a change, and when it is noise.
#include "bench/report/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report/summary.h"
#include "tests/bench/synthetic.h"

namespace bench::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

verdict verdict_on(const std::vector<double>& before, const std::vector<double>& after) {
  return compare(results_of({{"s/x", before}}), results_of({{"s/x", after}})).all.at(0).what;
}

TEST(Changes, CountWhereRepetitionsLieApart) {
  EXPECT_EQ(verdict_on({100, 101, 102}, {80, 81, 82}), verdict::better);
  EXPECT_EQ(verdict_on({80, 81, 82}, {100, 101, 102}), verdict::worse);
}

TEST(Changes, AreNoiseWhereRepetitionsOverlap) {
  EXPECT_EQ(verdict_on({100, 110, 120}, {90, 95, 101}), verdict::noise);
}

TEST(Changes, AreNoiseWhereTheyAreSmallerThanTheSpread) {
  EXPECT_EQ(verdict_on({100, 110, 118}, {94, 95, 99}), verdict::noise);
}

TEST(Changes, CannotBeJudgedByOneRepetition) {
  EXPECT_EQ(verdict_on({100}, {50, 51}), verdict::unknown);
  EXPECT_EQ(verdict_on({100, 101}, {50}), verdict::unknown);
}

TEST(Changes, KnowThatMoreMayBeBetter) {
  const auto run = [](double items) {
    results all = results_of({{"s/x", {1, 1}}});
    all.rows[0].values["items_per_second"] = {items, items};
    all.rows[0].values["samples"] = {items, items};
    return all;
  };
  const changes found = compare(run(10), run(20));
  ASSERT_EQ(found.all.size(), 2U);
  EXPECT_EQ(found.all[0].value, "items_per_second");
  EXPECT_EQ(found.all[0].what, verdict::better);
}

// Its repetitions agree by chance; those of its neighbours do not.
TEST(Changes, AreNoLessNoisyThanIsUsualInTheSuite) {
  const changes found =
      compare(results_of({{"s/x", {100, 100}}, {"s/y", {100, 120}}, {"s/z", {100, 120}}}),
              results_of({{"s/x", {108, 108}}, {"s/y", {100, 120}}, {"s/z", {100, 120}}}));
  EXPECT_EQ(found.all[0].what, verdict::noise);
  EXPECT_GT(found.all[0].noise_percent(), 8);
}

TEST(Changes, AreNoiseWhereOtherSystemsChangedAsMuch) {
  const auto run = [](double ours, double theirs) {
    return results_of({{"s/coppice/x", {ours, ours}}, {"s/go/x", {theirs, theirs}}});
  };
  const changes found = compare(run(100, 100), run(120, 125));
  EXPECT_NEAR(found.drift, 0.25, 1e-9);
  ASSERT_EQ(found.all.size(), 1U) << "what others do is what noise is judged by";
  EXPECT_EQ(found.all[0].what, verdict::noise);
  EXPECT_EQ(compare(run(100, 100), run(130, 125)).all[0].what, verdict::worse);
}

TEST(Changes, MayComeFromNothing) {
  const changes found = compare(results_of({{"s/x", {0, 0}}}), results_of({{"s/x", {5, 5}}}));
  EXPECT_EQ(found.all[0].what, verdict::worse);
  EXPECT_EQ(found.all[0].percent(), 0);
}

TEST(Changes, NameRowsThatCameAndWent) {
  const changes found = compare(results_of({{"s/old", {1}}, {"s/x", {1}}}),
                                results_of({{"s/x", {1}}, {"s/new", {1}}}));
  EXPECT_THAT(found.only_before, ElementsAre("s/old"));
  EXPECT_THAT(found.only_after, ElementsAre("s/new"));
}

TEST(Changes, NameTargetsThatAreNoLongerMet) {
  results before = results_of({{"s/x", {1}}});
  results after = before;
  before.targets = {{"s", "quick enough", true, 10, "ns", 9}};
  after.targets = {{"s", "quick enough", true, 10, "ns", 11}};
  const changes found = compare(before, after);
  ASSERT_EQ(found.targets.size(), 1U);
  EXPECT_THAT(summary(after, &found),
              HasSubstr("target now missed, was met: quick enough, 9 -> 11 ns"));
}

TEST(Changes, NameWhatElseDiffersBetweenTheRuns) {
  results before = results_of({{"s/x", {1}}});
  results after = before;
  before.context = {{"date", "1"}, {"compiler", "GNU"}};
  after.context = {{"date", "2"}, {"compiler", "Clang"}};
  const changes found = compare(before, after);
  ASSERT_EQ(found.contexts.size(), 1U);
  EXPECT_THAT(summary(after, &found), HasSubstr("compiler: GNU -> Clang"));
}

}  // namespace
}  // namespace bench::report
