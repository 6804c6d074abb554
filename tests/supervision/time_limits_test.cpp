// with_timeout, with_deadline and their nesting: what passes in time, and what does not.
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::failing;
using testing_support::failing_when_stopped;
using testing_support::mark;
using testing_support::number;
using testing_support::number_after;
using testing_support::sleeper;
using testing_support::texts;
using testing_support::trace;

class TimeLimits : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, TimeLimits, testing::Values(1u, 2u, 4u));

// ---- with_timeout, with_deadline ----------------------------------------------------------------

TEST_P(TimeLimits, TimeoutGivesAValueThatComesInTime) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int of_task = co_await with_timeout(2s, number_after(1s, 3));
    EXPECT_EQ(of_task, 3);
    const int of_callable =
        co_await with_timeout(2s, []() -> task<int> { co_return co_await number_after(1s, 4); });
    EXPECT_EQ(of_callable, 4);
    const int with_scope_given = co_await with_timeout(2s, [](cancel_scope& scope) -> task<int> {
      EXPECT_EQ(scope.deadline(), now() + 2s);
      co_return 5;
    });
    EXPECT_EQ(with_scope_given, 5);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(TimeLimits, TimeoutTakesAnyAwaitable) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_timeout(2s, sleep_for(1s));
    const std::tuple<int, int> both =
        co_await with_timeout(2s, gather(number_after(1s, 1), number_after(1s, 2)));
    EXPECT_EQ(both, std::make_tuple(1, 2));
    const task_handle<int> handle = spawn(number_after, 1s, 3);
    const int of_handle = co_await with_timeout(2s, handle);
    EXPECT_EQ(of_handle, 3);
  });
}

TEST_P(TimeLimits, TimeoutStopsAndAwaitsItsBodyAndThrows) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    try {
      co_await with_timeout(2s, [&]() -> task<> {
        const mark frame(events, "stopped");
        co_await sleep_for(1h);
        events.add("too late");
      });
      events.add("no throw");
    } catch (const timeout_error& error) {
      events.add("thrown");
      EXPECT_EQ(error.limit(), 2s);
    }
    EXPECT_EQ(test_clock().elapsed(), 2s);
    co_await checkpoint();
  });
  EXPECT_EQ(events.said(), (texts{"stopped", "thrown"}));
}

TEST_P(TimeLimits, TimeoutOfAnAwaitedHandleStopsTheAwaiterOnly) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> slow = spawn(number_after, 3s, 7);
    EXPECT_THROW((void)co_await with_timeout(1s, slow), timeout_error);
    EXPECT_FALSE(slow.done());
    const int value = co_await slow;
    EXPECT_EQ(value, 7);
  });
}

TEST_P(TimeLimits, ABodysFailureWinsOverTheTimeout) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_timeout(1s, failing_when_stopped("mine")));
    EXPECT_EQ(end.entry().message(), "mine");
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(TimeLimits, ABodysFailurePassesNakedBeforeTheTimeout) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await with_timeout(1s, failing("early")), std::runtime_error);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(TimeLimits, A3AValueThatWasReadyIsDeliveredThoughTheDeadlineHasPassed) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_timeout(1s, []() -> task<int> {
      co_await shield(sleep_for(5s));
      co_return 8;
    });
    EXPECT_EQ(value, 8);
    EXPECT_EQ(test_clock().elapsed(), 5s);
    co_await checkpoint();
  });
}

TEST_P(TimeLimits, DeadlineIsTheSameByTheClock) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_deadline(now() + 2s, number_after(1s, 3));
    EXPECT_EQ(value, 3);
    EXPECT_THROW(co_await with_deadline(now() + 1s, sleeper(1h)), timeout_error);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(TimeLimits, NoTimeAndLessStopAtTheFirstPoint) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await with_timeout(0s, sleeper(1s)), timeout_error);
    EXPECT_THROW(co_await with_timeout(-1s, sleeper(1s)), timeout_error);
    EXPECT_THROW(co_await with_deadline(now() - 1h, sleeper(1s)), timeout_error);
    const std::optional<int> none = co_await move_on_after(-1s, number_after(1s, 1));
    EXPECT_FALSE(none.has_value());
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(TimeLimits, NoTimeIsEnoughForABodyWithoutAPoint) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_timeout(0s, number(4));
    EXPECT_EQ(value, 4);
  });
}

TEST_P(TimeLimits, ForeverIsNoLimit) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_timeout(forever, [](cancel_scope& scope) -> task<int> {
      EXPECT_EQ(scope.deadline(), std::nullopt);
      EXPECT_EQ(current_deadline(), std::nullopt);
      co_return co_await number_after(24h * 365, 1);
    });
    EXPECT_EQ(value, 1);
  });
}

TEST_P(TimeLimits, A5ACancelFromAboveIsNoTimeout) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto main = [&]() -> task<> {
      try {
        co_await with_timeout(1h, sleeper(forever));
      } catch (...) {
        events.add("thrown");
      }
      events.add("behind");
    };
    const task_handle<> child = spawn(main);
    co_await sleep_for(1s);
    child.cancel("from above");
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(child.result().reason().message(), "from above");
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_EQ(events.said(), texts{});
}

TEST_P(TimeLimits, ItsScopesOwnCancelIsNoTimeout) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_timeout(1h, [](cancel_scope& scope) -> task<> {
      scope.cancel("done early");
      co_await sleep_for(forever);
    });
    const auto without_value = [](cancel_scope& scope) -> task<int> {
      scope.cancel("no value");
      co_return co_await number_after(1h, 1);
    };
    EXPECT_THROW((void)co_await with_timeout(1h, without_value), task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(TimeLimits, TimeoutErrorIsAFailureOfAGroup) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      group.spawn([]() -> task<> { co_await with_timeout(1s, sleeper(1h)); });
      co_await sleep_for(forever);
    }));
    const exception_group* const group = end.entry().get_if<exception_group>();
    EXPECT_TRUE(group != nullptr && group->exceptions()[0].get_if<timeout_error>() != nullptr);
  });
}

TEST_P(TimeLimits, EndsAllBelowIt) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      const mark frame(events, "child");
      co_await sleep_for(forever);
    };
    const auto hosting = [&]() -> task<> {
      co_await with_group([&](task_group& group) -> task<> {
        group.spawn(child);
        co_await sleep_for(forever);
      });
    };
    EXPECT_THROW(co_await with_timeout(1s, hosting), timeout_error);
    events.add("behind");
  });
  EXPECT_EQ(events.said(), (texts{"child", "behind"}));
}

// ---- Nested -------------------------------------------------------------------------------------

TEST_P(TimeLimits, TheInnerAndShorterThrowsAndTheOuterGoesOn) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_timeout(10s, []() -> task<int> {
      EXPECT_THROW(co_await with_timeout(1s, sleeper(1h)), timeout_error);
      co_return co_await number_after(1s, 2);
    });
    EXPECT_EQ(value, 2);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(TimeLimits, TheOuterAndShorterGoesThroughTheInner) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    EXPECT_THROW(co_await with_timeout(1s,
                                       [&]() -> task<> {
                                         try {
                                           co_await with_timeout(10s, sleeper(1h));
                                         } catch (const timeout_error&) {
                                           events.add("inner throws");
                                         }
                                         events.add("behind the inner one");
                                       }),
                 timeout_error);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_EQ(events.said(), texts{});
}

TEST_P(TimeLimits, A19OfEqualDeadlinesOnlyTheOutermostThrows) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto innermost = [&]() -> task<> {
      try {
        co_await with_timeout(1s, sleeper(1h));
      } catch (const timeout_error&) {
        events.add("innermost");
      }
    };
    const auto middle = [&]() -> task<> {
      try {
        co_await with_timeout(1s, innermost);
      } catch (const timeout_error&) {
        events.add("middle");
      }
    };
    try {
      co_await with_timeout(1s, middle);
    } catch (const timeout_error&) {
      events.add("outermost");
    }
  });
  EXPECT_EQ(events.said(), texts{"outermost"});
}

TEST_P(TimeLimits, A19OfEqualDeadlinesInOtherFormsTheOutermostMovesOn) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    bool inner_went_on = false;
    const bool finished = co_await move_on_after(1s, [&]() -> task<> {
      (void)co_await move_on_at(now() + 1s, sleeper(1h));
      inner_went_on = true;
    });
    EXPECT_FALSE(finished);
    EXPECT_FALSE(inner_went_on);
  });
}

TEST_P(TimeLimits, A19AllTimersOfOneInstantFireBeforeAnyTaskRuns) {
  std::atomic<int> slept{0};
  task_handle<> left;
  task_handle<> right;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    // Whichever runs first cancels the other, whose sleep has ended by then.
    const auto sleeping = [&](task_handle<>& other) -> task<> {
      co_await sleep_for(1s);
      ++slept;
      other.cancel();
    };
    co_await with_group([&](task_group& group) -> task<> {
      left = group.spawn(sleeping, std::ref(right));
      right = group.spawn(sleeping, std::ref(left));
      co_return;
    });
  });
  EXPECT_EQ(slept, 2);
  EXPECT_EQ(left.status(), task_status::completed);
  EXPECT_EQ(right.status(), task_status::completed);
}

}  // namespace
}  // namespace coppice
