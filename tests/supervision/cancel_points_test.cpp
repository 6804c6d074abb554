// Where a stop is delivered and how: the points, what is delivered all the same, frames destroyed.
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/wait.h>

#include <gtest/gtest.h>

#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::mark;
using testing_support::number;
using testing_support::sleeper;
using testing_support::texts;
using testing_support::trace;

class CancelPoints : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, CancelPoints, testing::Values(1u, 2u, 4u));

// Does a stop that was requested before end this at its entry?
bool stops_on_entry(test_runtime& rt, std::function<task<>()> awaits) {
  bool went_on = false;
  bool caught = false;
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await awaits();
      went_on = true;
    });
    caught = result.cancelled_caught;
  });
  EXPECT_EQ(caught, !went_on);
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
  return caught;
}

TEST_P(CancelPoints, A3YieldIsOne) {
  test_runtime rt(workers());
  EXPECT_TRUE(stops_on_entry(rt, []() -> task<> { co_await yield(); }));
}

TEST_P(CancelPoints, A3CheckpointIsOne) {
  test_runtime rt(workers());
  EXPECT_TRUE(stops_on_entry(rt, []() -> task<> { co_await checkpoint(); }));
}

TEST_P(CancelPoints, A3SleepingIsOneWhateverTheDuration) {
  test_runtime rt(workers());
  EXPECT_TRUE(stops_on_entry(rt, []() -> task<> { co_await sleep_for(1s); }));
  EXPECT_TRUE(stops_on_entry(rt, []() -> task<> { co_await sleep_for(0s); }));
  EXPECT_TRUE(stops_on_entry(rt, []() -> task<> { co_await sleep_for(-1s); }));
  EXPECT_TRUE(stops_on_entry(rt, []() -> task<> { co_await sleep_until(now()); }));
  EXPECT_TRUE(stops_on_entry(rt, []() -> task<> { co_await sleep_for(forever); }));
}

TEST_P(CancelPoints, A3AwaitingAHandleIsOneEvenIfTheTaskHasEnded) {
  test_runtime rt(workers());
  const task_handle<int> ended = rt.spawn(number(1));
  rt.run_until_blocked();
  EXPECT_TRUE(ended.done());
  EXPECT_TRUE(stops_on_entry(rt, [&]() -> task<> { co_await ended; }));
}

TEST_P(CancelPoints, A3GatherIsOneAndStartsNothing) {
  bool started = false;
  test_runtime rt(workers());
  EXPECT_TRUE(stops_on_entry(rt, [&]() -> task<> {
    const auto part = [&]() -> task<> {
      started = true;
      co_return;
    };
    co_await gather(part(), part());
  }));
  EXPECT_FALSE(started);
}

TEST_P(CancelPoints, A3AnOperationIsOneAndIsNotStarted) {
  int starts = 0;
  test_runtime rt(workers());
  EXPECT_TRUE(stops_on_entry(rt, [&]() -> task<> {
    co_await perform<void>([&](completion<> done) {
      ++starts;
      done.complete();
    });
  }));
  EXPECT_EQ(starts, 0);
}

TEST_P(CancelPoints, A3AwaitingATaskInlineIsNone) {
  test_runtime rt(workers());
  EXPECT_FALSE(stops_on_entry(rt, []() -> task<> { (void)co_await number(1); }));
}

TEST_P(CancelPoints, A3OpeningAndClosingScopesIsNone) {
  test_runtime rt(workers());
  EXPECT_FALSE(stops_on_entry(rt, []() -> task<> {
    co_await with_scope([]() -> task<> { co_return; });
    co_await with_group([](task_group&) -> task<> { co_return; });
    co_await with_group([](task_group& group) -> task<> {
      group.spawn(sleeper(1s));
      co_return;
    });
    co_await shield([]() -> task<> { co_return; });
    (void)co_await move_on_after(1s, []() -> task<> { co_return; });
    co_await with_timeout(1s, []() -> task<> { co_return; });
  }));
}

TEST_P(CancelPoints, A3ObservingIsNone) {
  test_runtime rt(workers());
  EXPECT_FALSE(stops_on_entry(rt, []() -> task<> { (void)co_await as_result(sleep_for(1s)); }));
}

TEST(CancelPointsInOrder, A3CheckpointAndYieldAlwaysLetOthersRun) {
  trace events;
  test_runtime rt({.workers = 1, .shuffle = false});
  rt.block_on([&]() -> task<> {
    const auto say = [&](std::string what) -> task<> {
      events.add(what);
      co_return;
    };
    spawn(say, "first");
    events.add("before");
    co_await checkpoint();
    events.add("between");
    spawn(say, "second");
    co_await yield();
    events.add("behind");
  });
  EXPECT_EQ(events.said(), (texts{"before", "first", "between", "second", "behind"}));
}

// ---- What has completed is delivered ------------------------------------------------------------

TEST_P(CancelPoints, A3DeliversAnOperationThatCompletedBeforeTheCancel) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      const int value = co_await perform<int>([&](completion<int> done) {
        done.complete(7);
        scope.cancel();
      });
      events.add("value " + std::to_string(value));
      co_await yield();
      events.add("behind the point");
    });
  });
  EXPECT_EQ(events.said(), texts{"value 7"});
}

TEST_P(CancelPoints, A3DeliversAValueThatComesAllTheSame) {
  completion<int> kept;
  int cancels = 0;
  int value = 0;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto waiting = [&]() -> task<> {
      const auto start = [&](completion<int> done) { kept = done; };
      const auto cancel = [&]() noexcept {
        ++cancels;
        kept.complete(8);
      };
      value = co_await perform<int>(start, cancel);
      kept = completion<int>();
    };
    const task_handle<> child = spawn(waiting);
    co_await sleep_for(1s);
    child.cancel();
    co_await child;
  });
  EXPECT_EQ(cancels, 1);
  EXPECT_EQ(value, 8);
}

TEST_P(CancelPoints, A3DeliversASleepThatEndedAtTheInstantOfTheCancel) {
  int slept = 0;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto sleeping = [&]() -> task<> {
      co_await sleep_for(1s);
      ++slept;
    };
    const task_handle<> other = spawn(sleeping);
    co_await sleep_for(1s);
    other.cancel();  // A19: its timer has fired as ours did.
    co_await other;
  });
  EXPECT_EQ(slept, 1);
}

// ---- How: the stopped channel -------------------------------------------------------------------

task<> innermost(trace& events) {
  const mark frame(events, "innermost");
  co_await sleep_for(forever);
}
task<> middle(trace& events) {
  const mark frame(events, "middle");
  const mark second(events, "second local of middle");
  co_await innermost(events);
}
task<> outermost(trace& events) {
  const mark frame(events, "outermost");
  co_await middle(events);
}

TEST_P(CancelPoints, A4DestroysFramesInnermostFirstUpToTheCatchPoint) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const mark host(events, "host");
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      const scope_handle own = scope.handle();
      spawn([own]() -> task<> {
        co_await sleep_for(1s);
        own.cancel();
      });
      co_await outermost(events);
    });
    events.add("behind the scope");
  });
  EXPECT_EQ(events.said(), (texts{"innermost", "second local of middle", "middle", "outermost",
                                  "behind the scope", "host"}));
}

TEST_P(CancelPoints, A4ThrowsNothing) {
  int caught = 0;
  int unwinding = 0;
  struct counts_unwinding {
    int& seen;
    ~counts_unwinding() { seen += std::uncaught_exceptions(); }
  };
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      const counts_unwinding here{unwinding};
      try {
        co_await [](int& seen) -> task<> {
          const counts_unwinding below{seen};
          co_await sleep_for(forever);
        }(unwinding);
      } catch (...) {
        ++caught;
      }
    });
    EXPECT_TRUE(result.cancelled_caught);
  });
  EXPECT_EQ(caught, 0);
  EXPECT_EQ(unwinding, 0);
}

TEST_P(CancelPoints, A4ASpawnedTasksStopEndsAtItsRoot) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<> child = spawn(sleeper(forever));
    co_await sleep_for(1s);
    child.cancel("this one");
    const outcome<> end = co_await as_result(child);
    EXPECT_TRUE(end.failed()) << "A13: not the stop of the awaiter";
    EXPECT_EQ(child.status(), task_status::cancelled);
    co_await checkpoint();
  });
}

TEST_P(CancelPoints, A13AwaitingACancelledTaskThrowsWhoAndWhy) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> child = spawn(testing_support::number_after, 1h, 1);
    co_await sleep_for(1s);
    child.cancel("not wanted");
    try {
      (void)co_await child;
      ADD_FAILURE() << "it had a value";
    } catch (const task_cancelled& end) {
      EXPECT_EQ(end.reason().message(), "not wanted");
      EXPECT_EQ(end.id(), child.id());
    }
    EXPECT_FALSE(cancel_requested());
  });
}

// The same request stops a child and whoever waits for it, in whatever order.
void stops_with_the_child(const test_options& workers,
                          const std::function<task<>(const task_handle<>&)>& waits) {
  for (int round = 0; round != 100; ++round) {
    bool went_on = false;
    test_runtime rt(workers);
    rt.block_on([&]() -> task<> {
      const auto body = [&](task_group& children) -> task<> {
        const task_handle<> child = children.spawn(sleeper(forever));
        co_await sleep_for(1ms);  // So the child waits first.
        try {
          co_await waits(child);
        } catch (const task_cancelled&) {  // It is said below.
        }
        went_on = true;
      };
      const auto limited = [&]() -> task<> { co_await with_group(body); };
      const auto result = co_await with_scope({.timeout = 5ms}, limited);
      EXPECT_TRUE(result.cancelled_caught);
    });
    ASSERT_FALSE(went_on) << "with the child's end, in round " << round;
  }
}

TEST_P(CancelPoints, A13WhoAwaitsAHandleStopsWithTheTask) {
  stops_with_the_child(workers(), [](const task_handle<>& child) -> task<> { co_await child; });
}

TEST_P(CancelPoints, A13WhoWaitsForATaskStopsWithIt) {
  stops_with_the_child(workers(), [](const task_handle<>& child) -> task<> {
    const std::vector<task_handle<>> all{child};
    co_await wait(all);
  });
}

TEST_P(CancelPoints, A13WhoWaitsOrAbortsStopsWithTheTask) {
  stops_with_the_child(workers(), [](const task_handle<>& child) -> task<> {
    const std::vector<task_handle<>> all{child};
    co_await wait_or_abort(all);
  });
}

TEST_P(CancelPoints, A3AValueThatHasComeIsDeliveredAllTheSame) {
  test_runtime rt(workers());
  int got = 0;
  rt.block_on([&]() -> task<> {
    const auto body = [&](cancel_scope& scope) -> task<> {
      const scope_handle mine = scope.handle();
      const task_handle<int> child = spawn(testing_support::number_after, 1s, 7);
      child.on_done([mine] { mine.cancel(); });  // Behind the outcome, and before the awaiter runs.
      got = co_await child;
    };
    const auto result = co_await with_scope(body);
    EXPECT_FALSE(result.cancelled_caught) << "there was no point behind the value";
  });
  EXPECT_EQ(got, 7);
}

TEST_P(CancelPoints, A17RunningCodeIsNotInterrupted) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto computing = [&]() -> task<> {
      const mark frame(events, "frame");
      this_task::ref().cancel();
      for (int i = 0; i != 3; ++i) {
        (void)co_await number(i);  // No point in it.
      }
      events.add("computed");
      co_return;
    };
    const task_handle<> child = spawn(computing);
    co_await child;
    EXPECT_EQ(child.status(), task_status::completed);
  });
  EXPECT_EQ(events.said(), (texts{"computed", "frame"}));
}

}  // namespace
}  // namespace coppice
