// Tests gather of a range.
#include <coppice/gather.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <ranges>
#include <span>
#include <sstream>
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

class GatherRange : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, GatherRange, testing::Values(1u, 2u, 4u));

template <class R>
using range_gives = awaited_t<decltype(gather(std::declval<R>()))>;

static_assert(std::is_same_v<range_gives<std::vector<task<int>>>, std::vector<int>>);
static_assert(std::is_same_v<range_gives<std::vector<task<int>>&>, std::vector<int>>);
static_assert(std::is_void_v<range_gives<std::vector<task<>>>>);
static_assert(std::is_void_v<range_gives<std::vector<task_handle<>>&>>);
static_assert(
    std::is_same_v<range_gives<std::vector<task<int&>>>, std::vector<std::reference_wrapper<int>>>);
static_assert(awaitable_range<std::vector<task<int>>&>);
static_assert(!awaitable_range<std::vector<int>>);
static_assert(!awaitable_range<task<int>>);

// Numbers 0 ... n - 1, the later the sooner.
std::vector<task<int>> countdown(int n) {
  std::vector<task<int>> tasks;
  for (int i = 0; i != n; ++i) {
    tasks.push_back(give_after((n - i) * 1ms, i));
  }
  return tasks;
}

TEST_P(GatherRange, GivesTheResultsInItsOrder) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks = countdown(4);
    const std::vector<int> all = co_await gather(tasks);
    EXPECT_THAT(all, ElementsAre(0, 1, 2, 3));
  });
  EXPECT_EQ(rt.clock().elapsed(), 4ms);
}

TEST_P(GatherRange, ConsumesTheTasksOfANamedRange) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks = countdown(3);
    co_await gather(tasks);
    EXPECT_EQ(tasks.size(), 3u);
    for (const task<int>& each : tasks) {
      EXPECT_FALSE(each);
    }
    EXPECT_THROW(co_await gather(tasks), usage_error);
  });
}

TEST_P(GatherRange, KeepsARangeThatIsGivenAway) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto later = gather(countdown(3));
    co_await sleep_for(1ms);
    const std::vector<int> all = co_await std::move(later);
    EXPECT_THAT(all, ElementsAre(0, 1, 2));
  });
}

TEST_P(GatherRange, OfVoidTasksGivesNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<>> tasks;
    tasks.push_back(end_after(1ms));
    tasks.push_back(end_after(3ms));
    co_await gather(tasks);
  });
  EXPECT_EQ(rt.clock().elapsed(), 3ms);
}

task<int&> refer_to(int& target) {
  co_await yield();
  co_return target;
}

TEST_P(GatherRange, GivesReferenceWrappers) {
  std::array<int, 2> targets{1, 2};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int&>> tasks;
    tasks.push_back(refer_to(targets[0]));
    tasks.push_back(refer_to(targets[1]));
    const std::vector<std::reference_wrapper<int>> all = co_await gather(tasks);
    EXPECT_EQ(&all.at(0).get(), &targets[0]);
    EXPECT_EQ(&all.at(1).get(), &targets[1]);
  });
}

TEST_P(GatherRange, MovesResultsThatCannotBeCopiedNorMadeFromNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<move_only>> tasks;
    for (int i = 0; i != 5; ++i) {
      tasks.push_back(give_after((5 - i) * 1ms, move_only(i)));
    }
    const std::vector<move_only> all = co_await gather(tasks);
    EXPECT_EQ(all.size(), 5u);
    for (int i = 0; const move_only& each : all) {
      EXPECT_EQ(each.number(), i++);
    }
  });
}

TEST_P(GatherRange, GivesBools) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<bool>> tasks;
    for (int i = 0; i != 100; ++i) {
      tasks.push_back(give_after((i % 7) * 1ms, i % 3 == 0));
    }
    const std::vector<bool> all = co_await gather(tasks);
    EXPECT_EQ(all.size(), 100u);
    EXPECT_EQ(std::count(all.begin(), all.end(), true), 34);
    EXPECT_TRUE(all.at(99));
  });
}

TEST_P(GatherRange, TakesOperations) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<decltype(sleep_for(1ms))> sleeps;
    for (int i = 1; i != 4; ++i) {
      sleeps.push_back(sleep_for(i * 1ms));
    }
    co_await gather(sleeps);
    EXPECT_EQ(test_clock().elapsed(), 3ms);
  });
}

TEST_P(GatherRange, CopiesFromHandles) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task_handle<std::string>> handles;
    handles.push_back(spawn(give_after(2ms, std::string("a"))));
    handles.push_back(spawn(give_after(1ms, std::string("b"))));
    const std::vector<std::string> all = co_await gather(handles);
    EXPECT_THAT(all, ElementsAre("a", "b"));
    EXPECT_EQ(handles[0].result().get(), "a");
    EXPECT_EQ(handles[1].result().get(), "b");
  });
}

TEST_P(GatherRange, TakesAConstantRangeOfHandles) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::vector<task_handle<int>> handles{spawn(give(1)), spawn(give_after(1ms, 2))};
    const std::vector<int> all = co_await gather(std::span(handles));
    EXPECT_THAT(all, ElementsAre(1, 2));
  });
}

TEST_P(GatherRange, TakesOtherContainers) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::list<task<int>> tasks;
    tasks.push_back(give_after(2ms, 1));
    tasks.push_back(give_after(1ms, 2));
    const std::vector<int> all = co_await gather(tasks);
    EXPECT_THAT(all, ElementsAre(1, 2));
  });
}

TEST_P(GatherRange, TakesEachElementOfAViewOnce) {
  std::atomic<int> made{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto make = [&made](int i) {
      made.fetch_add(1);
      return give_after((10 - i) * 1ms, i * i);
    };
    auto tasks = std::views::iota(0, 5) | std::views::transform(make);
    const std::vector<int> all = co_await gather(tasks);
    EXPECT_THAT(all, ElementsAre(0, 1, 4, 9, 16));
    EXPECT_EQ(made.load(), 5);
  });
}

TEST_P(GatherRange, TakesARangeThatCanBeReadOnce) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::istringstream in("3 1 2");
    auto tasks = std::ranges::istream_view<int>(in) |
                 std::views::transform([](int i) { return give_after(i * 1ms, i); });
    static_assert(!std::ranges::forward_range<decltype(tasks)>);
    const std::vector<int> all = co_await gather(std::move(tasks));
    EXPECT_THAT(all, ElementsAre(3, 1, 2));
  });
}

TEST_P(GatherRange, OfNothingGivesNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> none;
    const std::vector<int> all = co_await gather(none);
    EXPECT_THAT(all, IsEmpty());
    co_await gather(std::vector<task<>>());
    const std::vector<int> limited = co_await gather(limit{3}, none);
    EXPECT_THAT(limited, IsEmpty());
  });
}

TEST(GatherRangeOnOneWorker, OfNothingDoesNotSuspend) {
  std::atomic<int> runs{0};
  test_runtime rt{{.workers = 1}};
  rt.block_on([&]() -> task<> {
    spawn(count_run(runs));
    std::vector<task<int>> none;
    co_await gather(none);
    EXPECT_EQ(runs.load(), 0);
  });
}

TEST_P(GatherRange, OfOneGivesOne) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::vector<int> all = co_await gather(countdown(1));
    EXPECT_THAT(all, ElementsAre(0));
  });
}

TEST_P(GatherRange, OfManyGivesAll) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::vector<int> all = co_await gather(countdown(3'000));
    EXPECT_EQ(all.size(), 3'000u);
    for (int i = 0; const int each : all) {
      EXPECT_EQ(each, i++);
    }
  });
}

TEST_P(GatherRange, FailsAsOthersDo) {
  std::atomic<int> stops{0};
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(count_stop(stops));
    tasks.push_back(fail_after(2ms, "first"));
    tasks.push_back(fail_when_stopped("second"));
    tasks.push_back(count_stop(stops));
    const auto end = co_await as_result(gather(tasks));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(end.entry().suppressed().size(), 1u);
    EXPECT_EQ(stops.load(), 2);
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("second"));
}

TEST_P(GatherRange, StopsWithItsCaller) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      std::vector<task<int>> tasks;
      for (int i = 0; i != 10; ++i) {
        tasks.push_back(i % 2 == 0 ? sleep_marked(live) : stop_slowly(live, i * 1ms));
      }
      co_await gather(tasks);
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 14ms);
  });
}

TEST_P(GatherRange, OrAbortIsAnotherNameForIt) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks = countdown(3);
    const std::vector<int> all = co_await gather_or_abort(tasks);
    EXPECT_THAT(all, ElementsAre(0, 1, 2));
    tasks.clear();
    tasks.push_back(fail_after(1ms, "first"));
    EXPECT_THROW(co_await gather_or_abort(tasks), std::runtime_error);
  });
}

// A range whose third element cannot be made.
auto breaking_after_two(std::atomic<int>& live) {
  const auto make = [&live](int i) {
    if (i == 2) {
      throw std::out_of_range("no third");
    }
    return sleep_marked(live);
  };
  return std::views::iota(0, 5) | std::views::transform(make);
}

TEST_P(GatherRange, ThatThrowsEndsWhatHasBegun) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    auto tasks = breaking_after_two(live);
    EXPECT_THROW(co_await gather(tasks), std::out_of_range);
    EXPECT_EQ(live.load(), 0);
    auto more = breaking_after_two(live);
    EXPECT_THROW(co_await gather(limit{4}, more), std::out_of_range);
    EXPECT_EQ(live.load(), 0);
  });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

}  // namespace
}  // namespace coppice
