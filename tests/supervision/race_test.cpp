// Tests race: the first to finish decides.
#include <coppice/race.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
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

class Race : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, Race, testing::Values(1u, 2u, 4u));

template <class... A>
using race_gives = decltype(awaited_t<decltype(race(std::declval<A>()...))>::value);

static_assert(std::is_same_v<race_gives<task<int>, task<int>>, int>);
static_assert(std::is_same_v<race_gives<task<int>>, int>);
static_assert(std::is_same_v<race_gives<task<>, task<>>, std::monostate>);
static_assert(std::is_same_v<race_gives<task<int>, task<>>, std::variant<int, std::monostate>>);
static_assert(std::is_same_v<race_gives<task<int>, task<std::string>, task<int>>,
                             std::variant<int, std::string, int>>);
static_assert(std::is_same_v<race_gives<task<int&>, task<int&>>, std::reference_wrapper<int>>);
static_assert(std::is_same_v<race_gives<std::vector<task<>>>, std::monostate>);
static_assert(std::is_same_v<race_gives<std::vector<task<int>>&>, int>);

TEST_P(Race, GivesTheFirstToFinish) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto won = co_await race(give_after(3ms, 1), give_after(1ms, 2), give_after(2ms, 3));
    EXPECT_EQ(won.index, 1u);
    EXPECT_EQ(won.value, 2);
    EXPECT_THAT(won.errors, IsEmpty());
  });
  EXPECT_EQ(rt.clock().elapsed(), 1ms);
}

TEST_P(Race, TellsByTheVariantsIndexWhoWon) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto timed_out = co_await race(give_after(3ms, 1), sleep_for(1ms));
    EXPECT_EQ(timed_out.index, 1u);
    EXPECT_EQ(timed_out.value.index(), 1u);
    const auto won =
        co_await race(give_after(3ms, 1), give_after(1h, std::string("text")), give_after(2ms, 5));
    EXPECT_EQ(won.index, 2u);
    EXPECT_EQ(won.value.index(), 2u);
    EXPECT_EQ(std::get<2>(won.value), 5);
  });
}

TEST_P(Race, GivesMoveOnlyValuesAndReferences) {
  int target = 0;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto moved_value =
        co_await race(give_after(2ms, move_only(1)), give_after(1ms, move_only(2)));
    EXPECT_EQ(moved_value.value.number(), 2);
    const auto refer = [&target]() -> task<int&> {
      co_await sleep_for(1ms);
      co_return target;
    };
    const auto reference = co_await race(refer());
    EXPECT_EQ(&reference.value.get(), &target);
  });
}

TEST_P(Race, OfOneGivesIt) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto won = co_await race(give_after(1ms, 8));
    EXPECT_EQ(won.index, 0u);
    EXPECT_EQ(won.value, 8);
  });
}

TEST_P(Race, CancelsTheOthers) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto won = co_await race(count_stop(stops), give_after(1ms, 2), count_stop(stops));
    EXPECT_EQ(won.index, 1u);
    EXPECT_EQ(stops.load(), 2);
  });
}

TEST_P(Race, WaitsUntilTheFramesOfTheOthersAreGone) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto won = co_await race(stop_slowly(live, 7ms), give_after(1ms, 2), sleep_marked(live));
    EXPECT_EQ(won.value, 2);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 8ms);
  });
}

TEST_P(Race, LeavesTheCallerAlone) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await race(give(1), give_after(1h, 2));
    EXPECT_FALSE(cancel_requested());
    co_await checkpoint();
  });
}

task<counted_value> give_counted(duration d, std::atomic<int>& live) {
  co_await sleep_for(d);
  co_return counted_value(live);
}

TEST_P(Race, DestroysTheValuesOfTheOthers) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<counted_value>> tasks;
    for (int i = 0; i != 8; ++i) {
      tasks.push_back(give_counted(1ms, live));  // All at one time.
    }
    {
      const auto won = co_await race(tasks);
      EXPECT_LT(won.index, 8u);
      EXPECT_EQ(live.load(), 1);
    }
    EXPECT_EQ(live.load(), 0);
  });
}

TEST_P(Race, ThrowsTheFirstFailureNaked) {
  std::atomic<int> stops{0};
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto end =
        co_await as_result(race(count_stop(stops), fail_after(1ms, "first"), give_after(2ms, 1)));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(stops.load(), 1);
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(Race, ReportsTheFailuresOfTheOthers) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto won = co_await race(give_after(1ms, 1), fail_when_stopped("later", 2ms));
    EXPECT_EQ(won.value, 1);
    EXPECT_EQ(log.size(), 1u);
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("later"));
}

TEST_P(Race, LaterFailuresAreSuppressedOnesOfTheFirst) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const auto end = co_await as_result(race(fail_after(1ms, "first"), fail_when_stopped("later")));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(end.entry().suppressed().size(), 1u);
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("later"));
}

TEST_P(Race, PassesOverOneThatWasCancelledByItself) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> cancelled = spawn(give_after(1h, 1));
    cancelled.cancel();
    const auto won = co_await race(cancelled, give_after(5ms, 2));
    EXPECT_EQ(won.index, 1u);
    EXPECT_EQ(won.value, 2);
  });
}

TEST_P(Race, ThrowsTaskCancelledIfAllWereCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task_handle<int>> handles{spawn(give_after(1h, 1)), spawn(give_after(1h, 2))};
    handles[0].cancel();
    handles[1].cancel();
    EXPECT_THROW(co_await race(handles), task_cancelled);
    EXPECT_FALSE(cancel_requested());
  });
}

TEST_P(Race, OfHandlesEndsTheTasksOfTheOthers) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<int>> handles{spawn(stop_slowly(live, 3ms)), spawn(give_after(1ms, 2))};
    const auto won = co_await race(handles);
    EXPECT_EQ(won.index, 1u);
    EXPECT_EQ(won.value, 2);
    EXPECT_EQ(handles[0].status(), task_status::cancelled);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(handles[1].result().get(), 2);
  });
}

TEST_P(Race, GivesWhatWasReady) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> done = spawn(give(4));
    co_await done;
    const auto won = co_await race(give_after(1ms, 3), done);
    EXPECT_EQ(won.index, 1u);
    EXPECT_EQ(won.value, 4);
  });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

TEST_P(Race, OfAnEmptyRangeIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> none;
    EXPECT_THROW(co_await race(none), usage_error);
    EXPECT_THROW(co_await race(std::vector<task<>>()), usage_error);
  });
}

TEST_P(Race, TakesARange) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    for (int i = 0; i != 10; ++i) {
      tasks.push_back(give_after((10 - i) * 1ms, i));
    }
    const auto won = co_await race(tasks);
    EXPECT_EQ(won.index, 9u);
    EXPECT_EQ(won.value, 9);
    EXPECT_FALSE(tasks[0]);
  });
}

TEST_P(Race, IsSeenByAStopOnEntry) {
  std::atomic<int> runs{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await race(count_run(runs), count_run(runs));
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
  EXPECT_EQ(runs.load(), 0);
}

TEST_P(Race, StopsWithItsCallerBehindItsChildren) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 1ms}, [&]() -> task<> {
      co_await race(sleep_marked(live), stop_slowly(live, 4ms));
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 5ms);
  });
}

TEST_P(Race, AFailureWinsOverTheCancelOfTheCaller) {
  std::string caught;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope({.timeout = 1ms}, [&]() -> task<> {
      const auto end =
          co_await as_result(race(fail_when_stopped("of a cleanup"), give_after(1h, 1)));
      caught = end.entry().message();
    });
  });
  EXPECT_EQ(caught, "of a cleanup");
}

}  // namespace
}  // namespace coppice
