// as_result, stop and nothrow: a stop observed and passed on, a failure handed up without a throw.
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::failing;
using testing_support::failing_after;
using testing_support::mark;
using testing_support::messages_of;
using testing_support::number_after;
using testing_support::texts;
using testing_support::trace;

class AsResult : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, AsResult, testing::Values(1u, 2u, 4u));

TEST_P(AsResult, ShowsAValue) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<int> of_task = co_await as_result(number_after(1s, 3));
    EXPECT_TRUE(of_task.completed());
    EXPECT_EQ(of_task.get(), 3);
    const outcome<> of_nothing = co_await as_result(sleep_for(1s));
    EXPECT_TRUE(of_nothing.completed());
    outcome<std::unique_ptr<int>> moved = co_await as_result(
        []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); }());
    EXPECT_TRUE(moved.completed() && *std::move(moved).get() == 4);
  });
}

TEST_P(AsResult, ShowsAFailureWithoutAThrow) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(failing_after(1s, "mine"));
    EXPECT_TRUE(end.failed());
    EXPECT_EQ(end.entry().message(), "mine");
    EXPECT_THROW(end.get(), std::runtime_error);
    EXPECT_EQ(end.entry().context(), nullptr);
  });
}

TEST_P(AsResult, A4ShowsAStopAndWhy) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto inner = [&]() -> task<int> {
      const mark frame(events, "stopped frame");
      co_await sleep_for(forever);
      co_return 1;
    };
    const task_handle<> child = spawn([&]() -> task<> {
      const outcome<int> end = co_await as_result(inner());
      EXPECT_TRUE(end.cancelled());
      EXPECT_EQ(end.reason().message(), "why");
      EXPECT_EQ(end.error(), nullptr);
      events.add("observed");
    });
    co_await sleep_for(1s);
    child.cancel("why");
    co_await child;
    EXPECT_EQ(child.status(), task_status::completed);
  });
  EXPECT_EQ(events.said(), (texts{"stopped frame", "observed"}));
}

TEST_P(AsResult, A2LeavesTheRequestSetSoThatTheNextPointStops) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      const outcome<> end = co_await as_result(sleep_for(1s));
      EXPECT_TRUE(end.cancelled());
      EXPECT_TRUE(cancel_requested());
      events.add("observed");
      co_await yield();
      events.add("behind the point");
    });
    EXPECT_TRUE(result.cancelled_caught);
  });
  EXPECT_EQ(events.said(), texts{"observed"});
}

TEST_P(AsResult, LetsAShieldedCleanupFollow) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn([&]() -> task<> {
      const outcome<> end = co_await as_result(sleep_for(forever));
      co_await shield(sleep_for(2s));
      events.add("cleaned");
      if (end.cancelled()) {
        co_await stop();
      }
      events.add("behind stop");
    });
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
  });
  EXPECT_EQ(events.said(), texts{"cleaned"});
}

TEST_P(AsResult, A5OfAScopeThatAbsorbsShowsItsResult) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto body = [](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await yield();
    };
    const outcome<scope_result<void>> end = co_await as_result(with_scope(body));
    EXPECT_TRUE(end.completed());
    EXPECT_TRUE(end.completed() && end.get().cancelled_caught);
  });
}

TEST_P(AsResult, A13OfACancelledTasksHandleShowsAFailure) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<int> other = spawn(number_after, 1h, 1);
    co_await sleep_for(1s);
    other.cancel("that one");
    const outcome<int> end = co_await as_result(std::move(other));
    EXPECT_TRUE(end.failed()) << "cancelled would be the awaiter's own stop";
    const task_cancelled* const why = end.entry().get_if<task_cancelled>();
    EXPECT_TRUE(why != nullptr && why->reason().message() == "that one");
    EXPECT_FALSE(cancel_requested());
  });
}

TEST_P(AsResult, OfAGroupShowsItsGroupOfFailures) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<int> end = co_await as_result(with_group([](task_group& group) -> task<int> {
      group.spawn(failing("one"));
      co_return co_await number_after(1h, 1);
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("one"));
  });
}

// ---- stop ---------------------------------------------------------------------------------------

TEST_P(AsResult, StopGoesOnToTheNextCatchPoint) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto observing = [&]() -> task<> {
      const mark frame(events, "observing");
      const outcome<> end = co_await as_result(sleep_for(forever));
      events.add(end.cancelled() ? "stop seen" : "no stop");
      co_await stop();
    };
    const auto above = [&]() -> task<> {
      const mark frame(events, "above");
      co_await observing();
      events.add("behind observing");
    };
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel("once");
      co_await above();
    });
    EXPECT_EQ(result.reason.message(), "once");
  });
  EXPECT_EQ(events.said(), (texts{"stop seen", "observing", "above"}));
}

TEST_P(AsResult, StopInAScopeThatNobodyCancelledIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await stop(), usage_error);
    co_await with_scope([]() -> task<> { EXPECT_THROW(co_await stop(), usage_error); });
  });
}

TEST_P(AsResult, StopBelowAShieldIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await shield([]() -> task<> { EXPECT_THROW(co_await stop(), usage_error); });
    });
  });
}

// ---- nothrow ------------------------------------------------------------------------------------

TEST_P(AsResult, NothrowGivesAValue) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await nothrow(number_after(1s, 3));
    EXPECT_EQ(value, 3);
    co_await nothrow(sleep_for(1s));
  });
}

TEST_P(AsResult, NothrowHandsAFailureUpWithoutRunningACatch) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto between = [&]() -> task<> {
      const mark frame(events, "destroyed");
      try {
        co_await nothrow(failing_after(1s, "from below"));
        events.add("went on");
      } catch (...) {
        events.add("caught below");
      }
    };
    try {
      co_await between();
    } catch (const std::runtime_error& error) {
      events.add(error.what());
    }
  });
  EXPECT_EQ(events.said(), (texts{"destroyed", "from below"}));
}

task<int> handing_up(int depth, trace& events) {
  const mark frame(events, std::to_string(depth));
  if (depth == 0) {
    throw std::runtime_error("bottom");
  }
  co_return co_await nothrow(handing_up(depth - 1, events));
}

TEST_P(AsResult, NothrowHandsUpThroughManyFramesInnermostFirst) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const outcome<int> end = co_await as_result(handing_up(4, events));
    EXPECT_EQ(end.entry().message(), "bottom");
  });
  EXPECT_EQ(events.said(), (texts{"0", "1", "2", "3", "4"}));
}

TEST_P(AsResult, NothrowThroughManyFramesIsIterative) {
  trace events;
  test_runtime rt({.workers = GetParam(), .settings = {.stack_size = std::size_t{256} * 1024}});
  rt.block_on([&]() -> task<> {
    const outcome<int> end = co_await as_result(handing_up(20'000, events));
    EXPECT_EQ(end.entry().message(), "bottom");
  });
  EXPECT_EQ(events.said().size(), 20'001u);
}

TEST_P(AsResult, NothrowAtATasksRootIsItsFailure) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      group.spawn([]() -> task<> { co_await nothrow(failing("handed up")); });
      co_return;
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("handed up"));
  });
}

TEST_P(AsResult, NothrowLetsAStopPassAsAStop) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      const mark frame(events, "stopped");
      scope.cancel();
      co_await nothrow(sleep_for(1s));
      events.add("went on");
    });
    EXPECT_TRUE(result.cancelled_caught);
  });
  EXPECT_EQ(events.said(), texts{"stopped"});
}

}  // namespace
}  // namespace coppice
