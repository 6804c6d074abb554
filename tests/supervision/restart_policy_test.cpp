#include "supervision/restart_policy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <set>

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{};

// ---- The window ---------------------------------------------------------------------------------

TEST(RestartWindow, AdmitsAsManyAsAreAllowedAndNotOneMore) {
  restart_window window(3, 5s);
  EXPECT_TRUE(window.admit(start));
  EXPECT_TRUE(window.admit(start));
  EXPECT_TRUE(window.admit(start));
  EXPECT_EQ(window.recent(), 3u);
  EXPECT_FALSE(window.admit(start));
  EXPECT_EQ(window.recent(), 4u);
}

TEST(RestartWindow, CountsWhatIsExactlyAsLongAgoAsItIsWide) {
  restart_window window(1, 5s);
  EXPECT_TRUE(window.admit(start));
  EXPECT_FALSE(window.admit(start + 5s));
  EXPECT_TRUE(window.admit(start + 5s + 1ns));
}

TEST(RestartWindow, Slides) {
  restart_window window(2, 5s);
  EXPECT_TRUE(window.admit(start));
  EXPECT_TRUE(window.admit(start + 4s));
  EXPECT_TRUE(window.admit(start + 6s)) << "the first is out";
  EXPECT_FALSE(window.admit(start + 8s)) << "the second is not";
  EXPECT_TRUE(window.admit(start + 9s + 1ns));
}

TEST(RestartWindow, OfNoneAdmitsNone) {
  restart_window window(0, 5s);
  EXPECT_FALSE(window.admit(start));
  EXPECT_EQ(window.recent(), 1u);
}

TEST(RestartWindow, OfAnyNumberAdmitsAll) {
  restart_window window(std::numeric_limits<unsigned>::max(), forever);
  for (int i = 0; i != 100'000; ++i) {
    ASSERT_TRUE(window.admit(start));
  }
  EXPECT_EQ(window.recent(), 0u) << "none is kept";
}

TEST(RestartWindow, ThatIsForEverForgetsNothing) {
  restart_window window(1, forever);
  EXPECT_TRUE(window.admit(start));
  EXPECT_FALSE(window.admit(start + 10'000h));
}

// ---- The backoff --------------------------------------------------------------------------------

constexpr std::uint64_t lowest = 0;
constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();

TEST(BackoffDelay, OfZeroIsNone) {
  backoff_delay delay({});
  for (int i = 0; i != 5; ++i) {
    EXPECT_EQ(delay.next(0s, highest), 0s);
  }
}

TEST(BackoffDelay, GrowsByItsFactorUpToItsLongest) {
  backoff_delay delay({.initial = 100ms, .factor = 3, .max = 1s, .jitter = 0});
  EXPECT_EQ(delay.next(0s, lowest), 100ms);
  EXPECT_EQ(delay.next(0s, lowest), 300ms);
  EXPECT_EQ(delay.next(0s, lowest), 900ms);
  EXPECT_EQ(delay.next(0s, lowest), 1s);
  EXPECT_EQ(delay.next(0s, lowest), 1s);
}

TEST(BackoffDelay, IsNeverLongerThanItsLongestAtFirstEither) {
  backoff_delay delay({.initial = 10s, .max = 1s, .jitter = 0});
  EXPECT_EQ(delay.next(0s, lowest), 1s);
}

TEST(BackoffDelay, StartsAnewBehindHealth) {
  backoff_delay delay({.initial = 1s, .jitter = 0, .reset_after = 30s});
  EXPECT_EQ(delay.next(0s, lowest), 1s);
  EXPECT_EQ(delay.next(30s - 1ns, lowest), 2s);
  EXPECT_EQ(delay.next(30s, lowest), 1s);
  EXPECT_EQ(delay.next(0s, lowest), 2s);
}

TEST(BackoffDelay, IsShorterOrLongerByAShare) {
  const auto first = [](std::uint64_t random) {
    return backoff_delay({.initial = 1s, .jitter = 0.25}).next(0s, random);
  };
  EXPECT_EQ(first(lowest), 750ms);
  EXPECT_NEAR(static_cast<double>(first(highest / 2).count()), 1e9, 1.0);
  EXPECT_NEAR(static_cast<double>(first(highest).count()), 1.25e9, 1.0);
}

TEST(BackoffDelay, JitterDoesNotAddUp) {
  backoff_delay delay({.initial = 1s, .factor = 1, .jitter = 0.5});
  EXPECT_EQ(delay.next(0s, lowest), 500ms);
  EXPECT_EQ(delay.next(0s, lowest), 500ms);
}

TEST(BackoffDelay, OverflowsIntoForEver) {
  backoff_delay delay({.initial = 1h, .factor = 1e300, .max = forever, .jitter = 0.1});
  EXPECT_GT(delay.next(0s, highest), 1h);
  EXPECT_EQ(delay.next(0s, highest), forever);
  EXPECT_EQ(delay.next(0s, highest), forever);
}

// ---- Drawn numbers ------------------------------------------------------------------------------

TEST(DrawnNumber, IsDecidedBySeedIdAndCount) {
  EXPECT_EQ(drawn_number(1, "a", 1), drawn_number(1, "a", 1));
  EXPECT_NE(drawn_number(1, "a", 1), drawn_number(2, "a", 1));
  EXPECT_NE(drawn_number(1, "a", 1), drawn_number(1, "b", 1));
  EXPECT_NE(drawn_number(1, "a", 1), drawn_number(1, "a", 2));
}

TEST(DrawnNumber, IsSpread) {
  std::set<std::uint64_t> top_bits;
  for (std::uint64_t i = 0; i != 1'000; ++i) {
    top_bits.insert(drawn_number(0, "a", i) >> 60);
  }
  EXPECT_EQ(top_bits.size(), 16u);
}

}  // namespace
}  // namespace coppice::detail
