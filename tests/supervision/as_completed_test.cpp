// Tests as_completed: outcomes in the order in which they come.
#include <coppice/as_completed.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::count_run;
using testing_support::count_stop;
using testing_support::counted_value;
using testing_support::end_after;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::give;
using testing_support::give_after;
using testing_support::messages_of;
using testing_support::move_only;
using testing_support::report_log;
using testing_support::sleep_marked;
using testing_support::stop_slowly;
class AsCompleted : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, AsCompleted, testing::Values(1u, 2u, 4u));

static_assert(std::is_base_of_v<outcome<int>, finished<int>>);

// i ends at (n - i) ms, and so the last is the first.
std::vector<task<int>> countdown(int n) {
  std::vector<task<int>> tasks;
  for (int i = 0; i != n; ++i) {
    tasks.push_back(give_after((n - i) * 1ms, i * 10));
  }
  return tasks;
}

TEST_P(AsCompleted, GivesOutcomesInTheOrderOfTheirEnds) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<int> values;
    std::vector<std::size_t> places;
    co_await as_completed(countdown(4), [&](completions<int>& c) -> task<> {
      while (auto next = co_await c.next()) {
        values.push_back(next->get());
        places.push_back(next->index);
      }
    });
    EXPECT_THAT(values, ElementsAre(30, 20, 10, 0));
    EXPECT_THAT(places, ElementsAre(3u, 2u, 1u, 0u));
  });
}

TEST_P(AsCompleted, GivesEachWhenItComes) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<duration> times;
    co_await as_completed(countdown(3), [&](completions<int>& c) -> task<> {
      while (auto next = co_await c.next()) {
        times.push_back(test_clock().elapsed());
      }
    });
    EXPECT_THAT(times, ElementsAre(1ms, 2ms, 3ms));
  });
}

TEST_P(AsCompleted, GivesThoseThatCameWhileNobodyAsked) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<int> values;
    co_await as_completed(countdown(3), [&](completions<int>& c) -> task<> {
      co_await sleep_for(1h);
      while (auto next = co_await c.next()) {
        values.push_back(next->get());
      }
    });
    EXPECT_THAT(values, ElementsAre(20, 10, 0));
  });
  EXPECT_EQ(rt.clock().elapsed(), 1h);
}

TEST_P(AsCompleted, GivesTheValueOfItsBody) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int sum = co_await as_completed(countdown(4), [](completions<int>& c) -> task<int> {
      int total = 0;
      while (auto next = co_await c.next()) {
        total += next->get();
      }
      co_return total;
    });
    EXPECT_EQ(sum, 60);
  });
}

TEST_P(AsCompleted, ShowsFailuresAndCancelsNobodyForThem) {
  std::atomic<int> stops{0};
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(count_stop(stops, 2ms, 5));
    tasks.push_back(fail_after(1ms, "it failed"));
    std::vector<std::string> seen;
    co_await as_completed(tasks, [&](completions<int>& c) -> task<> {
      while (auto next = co_await c.next()) {
        seen.push_back(next->failed() ? next->entry().message() : std::to_string(next->get()));
      }
    });
    EXPECT_THAT(seen, ElementsAre("it failed", "5"));
    EXPECT_EQ(stops.load(), 0);
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(AsCompleted, ShowsACancelledHandle) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task_handle<int>> handles{spawn(give_after(1h, 1)), spawn(give_after(1ms, 2))};
    handles[0].cancel("not wanted");
    std::vector<task_status> seen;
    co_await as_completed(handles, [&](completions<int>& c) -> task<> {
      while (auto next = co_await c.next()) {
        seen.push_back(next->status());
      }
    });
    EXPECT_THAT(seen, ElementsAre(task_status::cancelled, task_status::completed));
  });
}

TEST_P(AsCompleted, TellsHowManyRemain) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<std::size_t> counts;
    co_await as_completed(countdown(3), [&](completions<int>& c) -> task<> {
      counts.push_back(c.remaining());
      while (auto next = co_await c.next()) {
        counts.push_back(c.remaining());
      }
    });
    EXPECT_THAT(counts, ElementsAre(3u, 2u, 1u, 0u));
  });
}

TEST_P(AsCompleted, GoesOnGivingNothingWhenAllAreGiven) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await as_completed(countdown(1), [](completions<int>& c) -> task<> {
      const auto first = co_await c.next();
      EXPECT_TRUE(first.has_value());
      for (int i = 0; i != 3; ++i) {
        const auto none = co_await c.next();
        EXPECT_FALSE(none.has_value());
      }
    });
  });
}

TEST_P(AsCompleted, CancelsAndAwaitsTheRestWhenItsBodyReturns) {
  std::atomic<int> stops{0};
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(stop_slowly(live, 10ms));
    tasks.push_back(give_after(1ms, 7));
    tasks.push_back(count_stop(stops));
    const int first = co_await as_completed(tasks, [](completions<int>& c) -> task<int> {
      auto next = co_await c.next();
      co_return next->get();
    });
    EXPECT_EQ(first, 7);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(stops.load(), 1);
    EXPECT_EQ(test_clock().elapsed(), 11ms);
  });
}

TEST_P(AsCompleted, CancelsAndAwaitsTheRestWhenItsBodyThrows) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(stop_slowly(live, 10ms));
    tasks.push_back(give_after(1ms, 7));
    const auto body = [](completions<int>& c) -> task<> {
      co_await c.next();
      throw std::out_of_range("of the body");
    };
    EXPECT_THROW(co_await as_completed(tasks, body), std::out_of_range);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 11ms);
  });
}

TEST_P(AsCompleted, ReportsWhatFailsWhileItIsBeingLeft) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(fail_when_stopped("later"));
    tasks.push_back(give_after(1ms, 7));
    co_await as_completed(tasks, [](completions<int>& c) -> task<> { co_await c.next(); });
    EXPECT_EQ(log.size(), 1u);
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("later"));
}

TEST_P(AsCompleted, ReportsAFailureThatNobodyAskedFor) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(fail_after(1ms, "not asked for"));
    co_await as_completed(tasks, [](completions<int>&) -> task<> { co_await sleep_for(2ms); });
  });
  EXPECT_THAT(log.messages(), ElementsAre("not asked for"));
}

TEST_P(AsCompleted, DestroysValuesThatNobodyAskedFor) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto make = [&live]() -> task<counted_value> { co_return counted_value(live); };
    std::vector<task<counted_value>> tasks;
    for (int i = 0; i != 5; ++i) {
      tasks.push_back(make());
    }
    co_await as_completed(tasks, [](completions<counted_value>& c) -> task<> {
      co_await sleep_for(1ms);
      co_await c.next();
    });
    EXPECT_EQ(live.load(), 0);
  });
}

TEST_P(AsCompleted, CancelsTheRestOnDemandAndShowsThemAsCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(give_after(1h, 1));
    tasks.push_back(give_after(1ms, 2));
    tasks.push_back(give_after(1h, 3));
    int cancelled = 0;
    co_await as_completed(tasks, [&](completions<int>& c) -> task<> {
      const auto first = co_await c.next();
      EXPECT_EQ(first->get(), 2);
      c.cancel_rest("enough");
      while (auto next = co_await c.next()) {
        EXPECT_TRUE(next->cancelled());
        EXPECT_EQ(next->reason().message(), "enough");
        ++cancelled;
      }
      co_await checkpoint();  // The body is not cancelled.
    });
    EXPECT_EQ(cancelled, 2);
  });
  EXPECT_EQ(rt.clock().elapsed(), 1ms);
}

TEST_P(AsCompleted, HoldsVoidAndMoveOnlyResults) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<>> nothings;
    nothings.push_back(end_after(1ms));
    co_await as_completed(nothings, [](completions<void>& c) -> task<> {
      const auto next = co_await c.next();
      EXPECT_TRUE(next.has_value() && next->completed());
    });
    std::vector<task<move_only>> movables;
    movables.push_back(give_after(1ms, move_only(4)));
    const move_only taken =
        co_await as_completed(movables, [](completions<move_only>& c) -> task<move_only> {
          auto next = co_await c.next();
          co_return std::move(*next).get();
        });
    EXPECT_EQ(taken.number(), 4);
  });
}

TEST_P(AsCompleted, OfNothingRunsItsBody) {
  bool ran = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await as_completed(std::vector<task<int>>(), [&](completions<int>& c) -> task<> {
      EXPECT_EQ(c.remaining(), 0u);
      const auto none = co_await c.next();
      EXPECT_FALSE(none.has_value());
      ran = true;
    });
  });
  EXPECT_TRUE(ran);
}

TEST_P(AsCompleted, KeepsToItsLimit) {
  std::atomic<int> running{0};
  std::atomic<int> over{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&](int i) -> task<int> {
      if (running.fetch_add(1) >= 2) {
        over.fetch_add(1);
      }
      co_await sleep_for(1ms);
      running.fetch_sub(1);
      co_return i;
    };
    auto tasks = std::views::iota(0, 8) | std::views::transform(child);
    const int sum = co_await as_completed(limit{2}, tasks, [](completions<int>& c) -> task<int> {
      int total = 0;
      while (auto next = co_await c.next()) {
        total += next->get();
      }
      co_return total;
    });
    EXPECT_EQ(sum, 28);
  });
  EXPECT_EQ(over.load(), 0);
  EXPECT_EQ(rt.clock().elapsed(), 4ms);
}

TEST_P(AsCompleted, WithALimitOfZeroIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks = countdown(2);
    const auto body = [](completions<int>&) -> task<> { co_return; };
    EXPECT_THROW(co_await as_completed(limit{0}, tasks, body), usage_error);
  });
}

TEST_P(AsCompleted, LeftEarlyEndsTheTasksBehindHandles) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<int>> handles{spawn(stop_slowly(live, 3ms)), spawn(give_after(1ms, 2))};
    co_await as_completed(handles, [](completions<int>& c) -> task<> { co_await c.next(); });
    EXPECT_EQ(handles[0].status(), task_status::cancelled);
    EXPECT_EQ(live.load(), 0);
  });
}

TEST_P(AsCompleted, IsSeenByAStopOnEntry) {
  std::atomic<int> runs{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      std::vector<task<int>> tasks;
      tasks.push_back(count_run(runs));
      co_await as_completed(tasks, [&](completions<int>&) -> task<> {
        runs.fetch_add(1);
        co_return;
      });
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
  EXPECT_EQ(runs.load(), 0);
}

TEST_P(AsCompleted, StopsWithItsCallerBehindBodyAndTasks) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      std::vector<task<int>> tasks;
      tasks.push_back(stop_slowly(live, 10ms));
      tasks.push_back(sleep_marked(live));
      co_await as_completed(tasks, [](completions<int>& c) -> task<> {
        co_await c.next();
        ADD_FAILURE() << "was given one";
      });
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 15ms);
  });
}
}  // namespace
}  // namespace coppice
