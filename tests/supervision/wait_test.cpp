// Tests wait: which handles are done when a condition holds, and nothing happens to any of them.
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <coppice/wait.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
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
using testing_support::count_stop;
using testing_support::end_after;
using testing_support::fail_after;
using testing_support::give;
using testing_support::give_after;

class Wait : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, Wait, testing::Values(1u, 2u, 4u));

using handles_of_int = std::vector<task_handle<int>>;

static_assert(std::is_same_v<awaited_t<decltype(wait(std::declval<handles_of_int&>()))>,
                             wait_result<task_handle<int>>>);
static_assert(std::is_same_v<awaited_t<decltype(wait(std::declval<std::vector<task_ref>>()))>,
                             wait_result<task_ref>>);
static_assert(handle_range<const std::vector<task_ref>&>);
static_assert(!handle_range<std::vector<task<int>>>);

TEST_P(Wait, WaitsForAllByDefault) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(give_after(3ms, 1)), spawn(give_after(1ms, 2))};
    const auto [done, pending] = co_await wait(handles);
    EXPECT_THAT(done, ElementsAre(handles[0], handles[1]));
    EXPECT_THAT(pending, IsEmpty());
    EXPECT_EQ(done.at(0).result().get(), 1);
  });
  EXPECT_EQ(rt.clock().elapsed(), 3ms);
}

TEST_P(Wait, GivesBothInTheOrderOfTheRange) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    handles_of_int handles;
    for (int i = 0; i != 6; ++i) {
      handles.push_back(spawn(give_after(i % 2 == 0 ? (10 - i) * 1ms : duration(1h), i)));
    }
    const auto [done, pending] = co_await wait(handles, when::all_completed, 20ms);
    EXPECT_THAT(done, ElementsAre(handles[0], handles[2], handles[4]));
    EXPECT_THAT(pending, ElementsAre(handles[1], handles[3], handles[5]));
  });
  EXPECT_EQ(rt.clock().elapsed(), 20ms);
}

TEST_P(Wait, ReturnsWhenTheFirstHasEnded) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(give_after(3ms, 1)), spawn(give_after(1ms, 2)),
                                 spawn(give_after(2ms, 3))};
    const auto [done, pending] = co_await wait(handles, when::first_completed);
    EXPECT_THAT(done, ElementsAre(handles[1]));
    EXPECT_THAT(pending, ElementsAre(handles[0], handles[2]));
    EXPECT_EQ(test_clock().elapsed(), 1ms);
  });
}

TEST_P(Wait, CountsAFailedOrCancelledOneAsTheFirstToEnd) {
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([]() -> task<> {
    const handles_of_int failing{spawn(give_after(1h, 1)), spawn(fail_after(1ms, "it failed"))};
    const auto after_failure = co_await wait(failing, when::first_completed);
    EXPECT_THAT(after_failure.done, ElementsAre(failing[1]));
    const handles_of_int cancelled{spawn(give_after(1h, 1)), spawn(give_after(1h, 2))};
    cancelled[1].cancel();
    const auto after_cancel = co_await wait(cancelled, when::first_completed);
    EXPECT_THAT(after_cancel.done, ElementsAre(cancelled[1]));
  });
  EXPECT_EQ(rt.clock().elapsed(), 1ms);
}

TEST_P(Wait, ReturnsWhenTheFirstHasFailed) {
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(give_after(1ms, 1)), spawn(fail_after(2ms, "it failed")),
                                 spawn(give_after(3ms, 3))};
    const auto [done, pending] = co_await wait(handles, when::first_failed);
    EXPECT_THAT(done, ElementsAre(handles[0], handles[1]));
    EXPECT_THAT(pending, ElementsAre(handles[2]));
    EXPECT_EQ(test_clock().elapsed(), 2ms);
  });
}

TEST_P(Wait, WaitsForAllIfNoneFails) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(give_after(1ms, 1)), spawn(give_after(3ms, 2)),
                                 spawn(give_after(1h, 3))};
    handles[2].cancel();  // Which is no failure.
    const auto [done, pending] = co_await wait(handles, when::first_failed);
    EXPECT_EQ(done.size(), 3u);
    EXPECT_THAT(pending, IsEmpty());
    EXPECT_EQ(test_clock().elapsed(), 3ms);
  });
}

TEST_P(Wait, ThrowsNothingOfTheirs) {
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(fail_after(1ms, "it failed")), spawn(give_after(1h, 2))};
    handles[1].cancel();
    const auto [done, pending] = co_await wait(handles);
    EXPECT_EQ(done.size(), 2u);
    EXPECT_TRUE(done.at(0).result().failed());
    EXPECT_TRUE(done.at(1).result().cancelled());
  });
}

TEST_P(Wait, ReturnsAtTheTimeoutWithoutAThrow) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(count_stop(stops, 1h, 5)), spawn(give_after(1ms, 2))};
    const auto [done, pending] = co_await wait(handles, when::all_completed, 10ms);
    EXPECT_THAT(done, ElementsAre(handles[1]));
    EXPECT_THAT(pending, ElementsAre(handles[0]));
    EXPECT_EQ(test_clock().elapsed(), 10ms);
    EXPECT_EQ(co_await handles[0], 5);  // It has not been cancelled.
  });
  EXPECT_EQ(stops.load(), 0);
}

TEST_P(Wait, WithNoTimeLooksOnly) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(give(1)), spawn(give_after(1h, 2))};
    co_await handles[0];
    for (const duration none : {duration(0), duration(-1h)}) {
      const auto [done, pending] = co_await wait(handles, when::all_completed, none);
      EXPECT_THAT(done, ElementsAre(handles[0]));
      EXPECT_THAT(pending, ElementsAre(handles[1]));
    }
  });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

TEST_P(Wait, ReturnsAtOnceIfItsConditionHolds) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(give(1)), spawn(give_after(1h, 2))};
    co_await handles[0];
    const auto [done, pending] = co_await wait(handles, when::first_completed);
    EXPECT_EQ(done.size(), 1u);
  });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

TEST_P(Wait, OfNothingReturnsAtOnce) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    for (const when until : {when::all_completed, when::first_completed, when::first_failed}) {
      const auto [done, pending] = co_await wait(handles_of_int(), until);
      EXPECT_THAT(done, IsEmpty());
      EXPECT_THAT(pending, IsEmpty());
    }
  });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

TEST_P(Wait, TakesHandlesOfDifferentTypes) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::vector<task_ref> handles{spawn(give_after(2ms, std::string("text"))),
                                        spawn(end_after(1ms))};
    const auto [done, pending] = co_await wait(handles, when::first_completed);
    EXPECT_THAT(done, ElementsAre(handles[1]));
    EXPECT_THAT(pending, ElementsAre(handles[0]));
  });
}

TEST_P(Wait, TakesAView) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto handles = std::views::iota(1, 4) |
                   std::views::transform([](int i) { return spawn(give_after(i * 1ms, i)); });
    const auto [done, pending] = co_await wait(handles);
    EXPECT_EQ(done.size(), 3u);  // Each has been spawned once.
    EXPECT_EQ(done.at(2).result().get(), 3);
  });
  EXPECT_EQ(rt.clock().elapsed(), 3ms);
}

TEST_P(Wait, LetsTheTasksGoOnIfItsCallerIsCancelled) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(count_stop(stops, 20ms, 5))};
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      co_await wait(handles);
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(test_clock().elapsed(), 5ms);
    EXPECT_EQ(co_await handles[0], 5);
  });
  EXPECT_EQ(stops.load(), 0);
}

TEST_P(Wait, IsSeenByAStopOnEntryEvenIfAllAreDone) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(give(1))};
    co_await handles[0];
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await wait(handles);
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
}

TEST_P(Wait, MayBeDoneByManyForTheSameHandles) {
  std::atomic<int> returned{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(give_after(5ms, 1)), spawn(give_after(6ms, 2))};
    const auto waiting = [&]() -> task<> {
      const auto [done, pending] = co_await wait(handles);
      returned.fetch_add(static_cast<int>(done.size()));
    };
    std::vector<task_handle<>> waiters;
    for (int i = 0; i != 10; ++i) {
      waiters.push_back(spawn(waiting()));
    }
    co_await wait(waiters);
  });
  EXPECT_EQ(returned.load(), 20);
}

TEST_P(Wait, RefusesAnEmptyHandle) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{task_handle<int>()};
    EXPECT_THROW(co_await wait(handles), usage_error);
  });
}

}  // namespace
}  // namespace coppice
