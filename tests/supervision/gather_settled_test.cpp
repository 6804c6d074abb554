// Tests gather_settled: the outcomes of all, whatever they are.
#include <coppice/gather.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <ranges>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::IsEmpty;
using testing_support::count_run;
using testing_support::count_stop;
using testing_support::end_after;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::give;
using testing_support::give_after;
using testing_support::move_only;
using testing_support::report_log;
using testing_support::sleep_marked;

class GatherSettled : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, GatherSettled, testing::Values(1u, 2u, 4u));

static_assert(std::is_same_v<awaited_t<decltype(gather_settled())>, std::tuple<>>);
static_assert(std::is_same_v<awaited_t<decltype(gather_settled(give(1), end_after(1ms)))>,
                             std::tuple<outcome<int>, outcome<void>>>);
static_assert(std::is_same_v<awaited_t<decltype(gather_settled(std::vector<task<>>()))>,
                             std::vector<outcome<void>>>);

TEST_P(GatherSettled, GivesAnOutcomeForEach) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [value, failure, none] =
        co_await gather_settled(give_after(2ms, 1), fail_after(1ms, "it failed"), end_after(3ms));
    EXPECT_TRUE(value.completed());
    EXPECT_EQ(value.get(), 1);
    EXPECT_TRUE(failure.failed());
    EXPECT_EQ(failure.entry().message(), "it failed");
    EXPECT_THROW(failure.get(), std::runtime_error);
    EXPECT_TRUE(none.completed());
  });
  EXPECT_EQ(rt.clock().elapsed(), 3ms);
}

TEST_P(GatherSettled, CancelsNothing) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    auto [failure, other] =
        co_await gather_settled(fail_after(1ms, "it failed"), count_stop(stops, 1h, 5));
    EXPECT_TRUE(failure.failed());
    EXPECT_EQ(other.get(), 5);
  });
  EXPECT_EQ(stops.load(), 0);
  EXPECT_EQ(rt.clock().elapsed(), 1h);
}

TEST_P(GatherSettled, ReportsNothingForItHasGivenAll) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    auto [a, b] = co_await gather_settled(fail_after(1ms, "a"), fail_after(1ms, "b"));
    EXPECT_TRUE(a.failed());
    EXPECT_TRUE(b.failed());
    EXPECT_THAT(a.entry().suppressed(), IsEmpty());
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(GatherSettled, ShowsACancelledHandleAsCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> cancelled = spawn(give_after(1h, 1));
    co_await sleep_for(1ms);
    cancelled.cancel("not wanted");
    auto [a, b] = co_await gather_settled(cancelled, give_after(1ms, 2));
    EXPECT_TRUE(a.cancelled());
    EXPECT_EQ(a.reason().message(), "not wanted");
    EXPECT_EQ(b.get(), 2);
  });
}

TEST_P(GatherSettled, ShowsATimeoutAsAFailure) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [a, b] = co_await gather_settled(with_timeout(1ms, give_after(1h, 1)),
                                          move_on_after(1ms, give_after(1h, 2)));
    EXPECT_TRUE(a.failed());
    EXPECT_NE(a.entry().get_if<timeout_error>(), nullptr);
    EXPECT_TRUE(b.completed());
    EXPECT_EQ(b.get(), std::nullopt);
  });
}

TEST_P(GatherSettled, HoldsValuesThatCanOnlyBeMoved) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [one] = co_await gather_settled(give_after(1ms, move_only(3)));
    EXPECT_EQ(one.get().number(), 3);
    const move_only taken = std::move(one).get();
    EXPECT_EQ(taken.number(), 3);
  });
}

TEST_P(GatherSettled, OfNothingGivesNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::tuple<> none = co_await gather_settled();
    EXPECT_EQ(none, std::tuple<>());
    const std::vector<outcome<int>> no_range = co_await gather_settled(std::vector<task<int>>());
    EXPECT_EQ(no_range.size(), 0u);
  });
}

TEST_P(GatherSettled, GivesTheOutcomesOfARangeInItsOrder) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto make = [](int i) {
      return i % 3 == 1 ? fail_after((9 - i) * 1ms, std::to_string(i))
                        : give_after((9 - i) * 1ms, i);
    };
    auto tasks = std::views::iota(0, 9) | std::views::transform(make);
    const std::vector<outcome<int>> all = co_await gather_settled(tasks);
    EXPECT_EQ(all.size(), 9u);
    for (int i = 0; const outcome<int>& each : all) {
      EXPECT_EQ(each.failed(), i % 3 == 1);
      EXPECT_EQ(each.failed() ? each.entry().message() : std::to_string(each.get()),
                std::to_string(i));
      ++i;
    }
  });
  EXPECT_EQ(rt.clock().elapsed(), 9ms);
}

TEST_P(GatherSettled, TakesARangeOfHandles) {
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([]() -> task<> {
    std::vector<task_handle<int>> handles;
    handles.push_back(spawn(give_after(2ms, 1)));
    handles.push_back(spawn(fail_after(1ms, "it failed")));
    const std::vector<outcome<int>> all = co_await gather_settled(handles);
    EXPECT_EQ(all.at(0).get(), 1);
    EXPECT_EQ(all.at(1).entry().message(), "it failed");
    EXPECT_EQ(handles.at(0).result().get(), 1);
  });
}

TEST_P(GatherSettled, KeepsToItsLimit) {
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
      if (i % 2 == 1) {
        throw std::runtime_error("odd");
      }
      co_return i;
    };
    auto tasks = std::views::iota(0, 8) | std::views::transform(child);
    const std::vector<outcome<int>> all = co_await gather_settled(limit{2}, tasks);
    EXPECT_EQ(all.size(), 8u);
    EXPECT_EQ(all.at(6).get(), 6);
    EXPECT_TRUE(all.at(7).failed());
  });
  EXPECT_EQ(over.load(), 0);
  EXPECT_EQ(rt.clock().elapsed(), 4ms);
}

TEST_P(GatherSettled, WithALimitOfZeroIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(give(1));
    EXPECT_THROW(co_await gather_settled(limit{0}, tasks), usage_error);
  });
}

TEST_P(GatherSettled, IsSeenByAStopOnEntry) {
  std::atomic<int> runs{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await gather_settled(count_run(runs));
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
  EXPECT_EQ(runs.load(), 0);
}

TEST_P(GatherSettled, StopsWithItsCallerBehindItsChildren) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 1ms}, [&]() -> task<> {
      co_await gather_settled(sleep_marked(live), give(1), sleep_marked(live));
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
  });
}

}  // namespace
}  // namespace coppice
