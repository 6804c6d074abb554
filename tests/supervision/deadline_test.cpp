// move_on_after, a scope's deadline that is moved, and what current_deadline says.
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::failing;
using testing_support::number_after;
using testing_support::sleeper;

class Deadline : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, Deadline, testing::Values(1u, 2u, 4u));

// ---- move_on_after, move_on_at ------------------------------------------------------------------

TEST_P(Deadline, MoveOnGivesTheValueOrNone) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::optional<int> in_time = co_await move_on_after(2s, number_after(1s, 3));
    EXPECT_EQ(in_time, 3);
    const std::optional<int> late = co_await move_on_after(2s, number_after(3s, 3));
    EXPECT_EQ(late, std::nullopt);
    EXPECT_EQ(test_clock().elapsed(), 3s);
    const std::optional<int> at = co_await move_on_at(now() + 2s, number_after(1s, 4));
    EXPECT_EQ(at, 4);
    co_await checkpoint();
  });
}

TEST_P(Deadline, MoveOnOfAVoidBodySaysWhetherItFinished) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const bool in_time = co_await move_on_after(2s, sleeper(1s));
    EXPECT_TRUE(in_time);
    const bool late = co_await move_on_after(2s, []() -> task<> { co_await sleep_for(3s); });
    EXPECT_FALSE(late);
    const bool at = co_await move_on_at(now(), sleeper(1s));
    EXPECT_FALSE(at);
  });
}

TEST_P(Deadline, MoveOnLetsAFailurePass) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW((void)co_await move_on_after(1s, failing("mine")), std::runtime_error);
  });
}

TEST_P(Deadline, A5MoveOnLetsACancelFromAbovePass) {
  bool behind = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn([&]() -> task<> {
      (void)co_await move_on_after(1h, sleeper(forever));
      behind = true;
    });
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
  });
  EXPECT_FALSE(behind);
}

TEST_P(Deadline, MoveOnGivesAReferenceThatTheBodyGives) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<std::string> handle = spawn([]() -> task<std::string> { co_return "text"; });
    const auto shared = co_await move_on_after(1s, handle);
    EXPECT_TRUE(shared.has_value());
    EXPECT_EQ(shared.has_value() ? shared->get() : "", "text");
  });
}

// ---- Of a scope ---------------------------------------------------------------------------------

TEST_P(Deadline, OfAScopeIsAbsorbedAndShown) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<int> result =
        co_await with_scope({.timeout = 2s}, [](cancel_scope& scope) -> task<int> {
          EXPECT_EQ(scope.deadline(), now() + 2s);
          EXPECT_FALSE(scope.expired());
          co_return co_await number_after(1h, 1);
        });
    EXPECT_TRUE(result.cancelled_caught);
    EXPECT_TRUE(result.expired);
    EXPECT_EQ(result.reason.kind(), cancel_kind::deadline);
    EXPECT_FALSE(result.value.has_value());
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(Deadline, IsCountedFromTheOpening) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await sleep_for(5s);
    const auto body = [](cancel_scope&) -> task<> { co_await sleep_for(forever); };
    auto later = with_scope({.timeout = 2s}, body);
    co_await sleep_for(10s);
    (void)co_await std::move(later);
    EXPECT_EQ(test_clock().elapsed(), 17s);
  });
}

TEST_P(Deadline, OfAScopeWithoutOneIsNone) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& scope) -> task<> {
      EXPECT_EQ(scope.deadline(), std::nullopt);
      EXPECT_EQ(current_deadline(), std::nullopt);
      co_return;
    });
  });
}

TEST_P(Deadline, ExpiredMeansThatItWasTheFirstReason) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> cancelled =
        co_await with_scope({.timeout = 2s}, [](cancel_scope& scope) -> task<> {
          scope.cancel("first");
          co_await shield(sleep_for(5s));
          EXPECT_FALSE(scope.expired());
          co_await yield();
        });
    EXPECT_TRUE(cancelled.cancelled_caught);
    EXPECT_FALSE(cancelled.expired);
    EXPECT_EQ(cancelled.reason.message(), "first");
    const scope_result<void> expired =
        co_await with_scope({.timeout = 2s}, [](cancel_scope& scope) -> task<> {
          co_await shield(sleep_for(5s));
          EXPECT_TRUE(scope.expired());
          scope.cancel("second");
          co_await yield();
        });
    EXPECT_TRUE(expired.expired);
    EXPECT_EQ(expired.reason.kind(), cancel_kind::deadline);
  });
}

TEST_P(Deadline, RescheduleMovesItLaterAndEarlier) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> later =
        co_await with_scope({.timeout = 2s}, [](cancel_scope& scope) -> task<> {
          scope.reschedule(now() + 5s);
          EXPECT_EQ(scope.deadline(), now() + 5s);
          co_await sleep_for(forever);
        });
    EXPECT_TRUE(later.expired);
    EXPECT_EQ(test_clock().elapsed(), 5s);
    const scope_result<void> earlier =
        co_await with_scope({.timeout = 1h}, [](cancel_scope& scope) -> task<> {
          co_await sleep_for(1s);
          scope.reschedule_after(2s);
          co_await sleep_for(forever);
        });
    EXPECT_TRUE(earlier.expired);
    EXPECT_EQ(test_clock().elapsed(), 8s);
  });
}

TEST_P(Deadline, RescheduleToNoneRemovesIt) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result =
        co_await with_scope({.timeout = 2s}, [](cancel_scope& scope) -> task<> {
          scope.reschedule(std::nullopt);
          EXPECT_EQ(scope.deadline(), std::nullopt);
          co_await sleep_for(10s);
        });
    EXPECT_TRUE(result);
  });
}

TEST_P(Deadline, RescheduleGivesADeadlineToAScopeWithoutOne) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.reschedule_after(3s);
      co_await sleep_for(forever);
    });
    EXPECT_TRUE(result.expired);
    EXPECT_EQ(test_clock().elapsed(), 3s);
  });
}

TEST_P(Deadline, RescheduledIntoThePastItActsAtOnce) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await sleep_for(10s);
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.reschedule(now() - 1s);
      EXPECT_TRUE(scope.cancelled());
      EXPECT_TRUE(scope.expired());
      co_await yield();
    });
    EXPECT_TRUE(result.expired);
  });
}

TEST_P(Deadline, MovedOnAfterItHasPassedItStaysPassed) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result =
        co_await with_scope({.timeout = 1s}, [](cancel_scope& scope) -> task<> {
          co_await shield(sleep_for(2s));
          scope.reschedule_after(1h);
          EXPECT_TRUE(scope.cancelled());
          co_await yield();
        });
    EXPECT_TRUE(result.expired);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(Deadline, MovedAgainAndAgainItFiresOnce) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result =
        co_await with_scope({.timeout = 2s}, [](cancel_scope& scope) -> task<> {
          for (int i = 0; i != 1'000; ++i) {
            co_await sleep_for(1s);
            scope.reschedule_after(2s);
          }
          co_await sleep_for(forever);
        });
    EXPECT_TRUE(result.expired);
    EXPECT_EQ(test_clock().elapsed(), 1'002s);
  });
}

TEST_P(Deadline, OfATimeoutCanBeMovedToo) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_timeout(1s, [](cancel_scope& scope) -> task<int> {
      scope.reschedule_after(10s);
      co_return co_await number_after(5s, 6);
    });
    EXPECT_EQ(value, 6);
  });
}

TEST_P(Deadline, RescheduleByAnotherTaskIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const task_handle<> child = group.spawn([&]() -> task<> {
        EXPECT_THROW(group.reschedule(std::nullopt), usage_error);
        EXPECT_THROW(group.reschedule_after(1s), usage_error);
        co_return;
      });
      co_await child;
      EXPECT_EQ(group.deadline(), std::nullopt);
    });
  });
}

// ---- current_deadline ---------------------------------------------------------------------------

TEST_P(Deadline, CurrentIsTheNearestThatBinds) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_EQ(current_deadline(), std::nullopt);
    const time_point start = now();
    co_await with_scope({.timeout = 5s}, [&]() -> task<> {
      EXPECT_EQ(current_deadline(), start + 5s);
      co_await with_scope({.timeout = 2s}, [&]() -> task<> {
        EXPECT_EQ(current_deadline(), start + 2s);
        co_await with_scope({.timeout = 9s}, [&]() -> task<> {
          EXPECT_EQ(current_deadline(), start + 2s) << "an outer one that is nearer";
          co_return;
        });
      });
      EXPECT_EQ(current_deadline(), start + 5s);
    });
    EXPECT_EQ(current_deadline(), std::nullopt);
  });
}

TEST_P(Deadline, CurrentIsNotLookedForThroughAShield) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const time_point start = now();
    co_await with_scope({.timeout = 5s}, [&]() -> task<> {
      co_await shield([&]() -> task<> {
        EXPECT_EQ(current_deadline(), std::nullopt);
        co_await with_scope({.timeout = 9s}, [&]() -> task<> {
          EXPECT_EQ(current_deadline(), start + 9s);
          co_return;
        });
      });
    });
  });
}

TEST_P(Deadline, CurrentBindsAChildToo) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const time_point start = now();
    co_await with_group({.timeout = 5s}, [&](task_group& group) -> task<> {
      const task_handle<> child = group.spawn([start]() -> task<> {
        EXPECT_EQ(current_deadline(), start + 5s);
        co_return;
      });
      co_await child;
      const task_handle<> nearer = group.spawn({.timeout = 2s}, [start]() -> task<> {
        EXPECT_EQ(current_deadline(), start + 2s);
        co_return;
      });
      co_await nearer;
    });
  });
}

}  // namespace
}  // namespace coppice
