// Abseil's times and statuses in tasks.
#include <coppice/absl.h>
#include <coppice/group.h>
#include <coppice/race.h>
#include <coppice/spawn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::HasSubstr;
using testing_support::failing;
using testing_support::failing_after;
using testing_support::number;
using testing_support::number_after;
using testing_support::sleeper;

class Absl : public testing_support::tree_test {
 protected:
  test_runtime rt_{workers()};
};
INSTANTIATE_TEST_SUITE_P(Workers, Absl, testing::Values(1u, 2u, 4u));

// ---- Times --------------------------------------------------------------------------------------

TEST(AbslTimes, ASpanIsNeverShorterThanItWas) {
  EXPECT_EQ(to_duration(absl::Milliseconds(250)), 250ms);
  EXPECT_EQ(to_duration(absl::ZeroDuration()), 0ns);
  EXPECT_EQ(to_duration(absl::Nanoseconds(1) / 4), 1ns);
  EXPECT_EQ(to_duration(absl::Nanoseconds(5) / 2), 3ns);
  EXPECT_EQ(to_duration(-absl::Nanoseconds(5) / 2), -2ns);
}

TEST(AbslTimes, WhatDoesNotFitIsTheNearestThatDoes) {
  EXPECT_EQ(to_duration(absl::InfiniteDuration()), forever);
  EXPECT_EQ(to_duration(absl::Hours(24 * 365) * 1000), forever);
  EXPECT_EQ(to_duration(-absl::InfiniteDuration()), duration::min());
}

TEST_P(Absl, ATimeIsAsFarAsItIsByTheSystemsClock) {
  rt_.block_on([]() -> task<> {
    const absl::Time later = absl::Now() + absl::Hours(1);
    const duration ahead = to_time_point(later) - now();
    EXPECT_LE(ahead, 1h);
    EXPECT_GT(ahead, 30min);
    EXPECT_LE(to_time_point(absl::UnixEpoch()), now());
    EXPECT_LE(to_time_point(absl::InfinitePast()), now());
    EXPECT_EQ(to_time_point(absl::InfiniteFuture()), time_point::max());
    co_return;
  });
}

TEST_P(Absl, Sleeps) {
  rt_.block_on([]() -> task<> {
    co_await sleep_for(absl::Seconds(2));
    EXPECT_EQ(test_clock().elapsed(), 2s);
    co_await sleep_until(absl::Now() + absl::Hours(1));
    EXPECT_GT(test_clock().elapsed(), 30min);
    co_await sleep_until(absl::UnixEpoch());
  });
}

TEST_P(Absl, LimitsWhatIsAwaited) {
  rt_.block_on([]() -> task<> {
    EXPECT_THROW(co_await with_timeout(absl::Seconds(1), sleeper(2s)), timeout_error);
    EXPECT_EQ(co_await with_timeout(absl::Seconds(3), number_after(2s, 7)), 7);
    EXPECT_FALSE(co_await move_on_after(absl::Seconds(1), sleeper(2s)));
    EXPECT_TRUE(co_await move_on_after(absl::InfiniteDuration(), sleeper(2s)));
    const absl::Time past = absl::Now();
    EXPECT_THROW(co_await with_deadline(past, sleeper(2s)), timeout_error);
    EXPECT_FALSE(co_await move_on_at(past, sleeper(2s)));
    EXPECT_EQ(co_await with_deadline(absl::InfiniteFuture(), number_after(2s, 8)), 8);
  });
}

// ---- Statuses of awaitables ---------------------------------------------------------------------

TEST_P(Absl, AValueIsOk) {
  rt_.block_on([]() -> task<> {
    const absl::StatusOr<int> given = co_await as_status(number(7));
    EXPECT_EQ(*given, 7);
    const absl::Status done = co_await as_status(sleeper(1s));
    EXPECT_TRUE(done.ok());
    const absl::StatusOr<std::unique_ptr<int>> moved = co_await as_status(
        []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); }());
    EXPECT_EQ(**moved, 3);
  });
}

TEST_P(Absl, AFailureIsAStatus) {
  rt_.block_on([]() -> task<> {
    const absl::Status failed = co_await as_status(failing("no symbol"));
    EXPECT_EQ(failed, absl::UnknownError("no symbol"));
    const absl::StatusOr<int> late = co_await as_status(with_timeout(1s, number_after(2s, 1)));
    EXPECT_EQ(late.status(), absl::DeadlineExceededError("timed out after 1s"));
  });
}

TEST_P(Absl, AStatusThatIsGivenStaysAsItIs) {
  rt_.block_on([]() -> task<> {
    const auto refuse = []() -> task<absl::Status> { co_return absl::AbortedError("twice"); };
    const auto find = []() -> task<absl::StatusOr<int>> { co_return absl::NotFoundError("x"); };
    const absl::Status refused = co_await as_status(refuse());
    EXPECT_EQ(refused, absl::AbortedError("twice"));
    const absl::StatusOr<int> found = co_await as_status(find());
    EXPECT_EQ(found.status(), absl::NotFoundError("x"));
  });
}

TEST_P(Absl, AStopShowsAsCancelledAndGoesOn) {
  absl::Status seen;
  bool went_on = false;
  rt_.block_on([&]() -> task<> {
    const task_handle<> child = spawn([&]() -> task<> {
      seen = co_await as_status(sleeper(1h));
      co_await sleep_for(1s);
      went_on = true;
    });
    co_await sleep_for(1s);
    child.cancel("too slow");
  });
  EXPECT_EQ(seen, absl::CancelledError("requested: too slow"));
  EXPECT_FALSE(went_on);
}

TEST_P(Absl, AnOuterDeadlineShowsAsOne) {
  absl::Status seen;
  rt_.block_on([&]() -> task<> {
    const auto watch = [&]() -> task<> { seen = co_await as_status(sleeper(1h)); };
    static_cast<void>(co_await move_on_after(1s, watch));
  });
  EXPECT_EQ(seen.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(Absl, ACancelledTasksHandleIsCancelled) {
  rt_.block_on([]() -> task<> {
    const task_handle<int> child = spawn([] { return number_after(1h, 1); });
    child.cancel("too slow");
    const absl::StatusOr<int> given = co_await as_status(child);
    EXPECT_EQ(given.status().code(), absl::StatusCode::kCancelled);
    EXPECT_THAT(std::string(given.status().message()), HasSubstr("too slow"));
  });
}

// ---- Statuses as failures -----------------------------------------------------------------------

TEST_P(Absl, ValuesOfStatusesAreGivenOrThrown) {
  rt_.block_on([]() -> task<> {
    const auto find = [](int n) -> task<absl::StatusOr<int>> {
      if (n < 0) {
        co_return absl::OutOfRangeError("below zero");
      }
      co_return n;
    };
    const auto check = [](absl::Status given) -> task<absl::Status> { co_return given; };
    EXPECT_EQ(co_await or_throw(find(4)), 4);
    EXPECT_THROW(co_await or_throw(find(-4)), status_error);
    co_await or_throw(check(absl::OkStatus()));
    EXPECT_THROW(co_await or_throw(check(absl::InternalError("odd"))), status_error);
  });
}

TEST_P(Absl, AThrownStatusFailsItsGroupAndComesBackWhole) {
  rt_.block_on([]() -> task<> {
    absl::Status refused = absl::PermissionDeniedError("not yours");
    refused.SetPayload("who", absl::Cord("nobody"));
    const auto refuse = [refused]() -> task<absl::Status> { co_return refused; };
    const auto child = [refuse]() -> task<> { co_await or_throw(refuse()); };
    const absl::Status again = co_await as_status(child());
    EXPECT_EQ(again, refused);
    EXPECT_EQ(again.GetPayload("who"), absl::Cord("nobody"));
    const auto body = [&](task_group& group) -> task<> {
      group.spawn(child);
      co_await sleep_for(1h);
    };
    const absl::Status whole = co_await as_status(with_group(body));
    EXPECT_EQ(whole.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(std::string(whole.message()), HasSubstr("PERMISSION_DENIED: not yours"));
    EXPECT_EQ(test_clock().elapsed(), 0s) << "the body was stopped";
  });
}

}  // namespace
}  // namespace coppice
