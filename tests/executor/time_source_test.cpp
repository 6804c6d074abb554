#include "executor/time_source.h"

#include <gtest/gtest.h>

#include <thread>

namespace coppice::detail {
namespace {

using std::chrono_literals::operator""h;

TEST(TimeSource, IsTheSteadyClock) {
  const time_source time(false);
  EXPECT_FALSE(time.is_virtual());
  const auto before = clock::now();
  const time_point now = time.now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, clock::now());
}

TEST(TimeSource, StandsStillWhereItIsVirtual) {
  const time_source time(true);
  EXPECT_TRUE(time.is_virtual());
  EXPECT_EQ(time.now(), time_source::beginning);
  EXPECT_EQ(time.now(), time_source::beginning);
}

TEST(TimeSource, GoesWhereItIsTold) {
  time_source time(true);
  time.advance_to(time_source::beginning + 5h);
  EXPECT_EQ(time.now(), time_source::beginning + 5h);
}

// A test may ask what was a day ago, and no clock of ours runs before its epoch.
TEST(TimeSource, BeginsLaterThanTheEpoch) {
  EXPECT_GE(time_source::beginning - 24h, time_point());
}

TEST(TimeSource, ShowsWhatWasWrittenBeforeTimeMoved) {
  time_source time(true);
  int written = 0;
  std::thread reader([&] {
    while (time.now() == time_source::beginning) {
      std::this_thread::yield();
    }
    EXPECT_EQ(written, 1);
  });
  written = 1;
  time.advance_to(time_source::beginning + 1h);
  reader.join();
}

}  // namespace
}  // namespace coppice::detail
