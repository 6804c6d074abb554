// Tests gather of a range with a limit.
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
using testing_support::count_run;
using testing_support::fail_after;
using testing_support::give_after;

class GatherLimit : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, GatherLimit, testing::Values(1u, 2u, 4u));

// Numbers 0 ... n - 1, the later the sooner.
std::vector<task<int>> countdown(int n) {
  std::vector<task<int>> tasks;
  for (int i = 0; i != n; ++i) {
    tasks.push_back(give_after((n - i) * 1ms, i));
  }
  return tasks;
}

// Knows how many run, and how many ever ran at once.
struct gauge {
  std::atomic<int> running{0};
  std::atomic<int> most{0};

  task<int> run(duration d, int value) {
    const int now_running = running.fetch_add(1) + 1;
    int seen = most.load();
    while (seen < now_running && !most.compare_exchange_weak(seen, now_running)) {
    }
    co_await sleep_for(d);
    running.fetch_sub(1);
    co_return value;
  }
};

TEST_P(GatherLimit, RunsAtMostSoManyAtOnce) {
  for (const std::size_t at_once : {1u, 3u, 8u}) {
    gauge runs;
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      std::vector<task<int>> tasks;
      for (int i = 0; i != 24; ++i) {
        tasks.push_back(runs.run(1ms, i));
      }
      const std::vector<int> all = co_await gather(limit{at_once}, tasks);
      EXPECT_EQ(all.size(), 24u);
      EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
    });
    EXPECT_EQ(runs.most.load(), static_cast<int>(at_once));
    EXPECT_EQ(rt.clock().elapsed(), 24ms / at_once);
  }
}

TEST_P(GatherLimit, OfMoreThanThereAreRunsAll) {
  gauge runs;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(runs.run(2ms, 0));
    tasks.push_back(runs.run(1ms, 1));
    const std::vector<int> all = co_await gather(limit{100}, tasks);
    EXPECT_THAT(all, ElementsAre(0, 1));
  });
  EXPECT_EQ(runs.most.load(), 2);
}

TEST_P(GatherLimit, StartsTheNextWhenAnyEnds) {
  gauge runs;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(runs.run(10ms, 0));
    for (int i = 1; i != 6; ++i) {
      tasks.push_back(runs.run(2ms, i));
    }
    const std::vector<int> all = co_await gather(limit{2}, tasks);
    EXPECT_THAT(all, ElementsAre(0, 1, 2, 3, 4, 5));
  });
  EXPECT_EQ(rt.clock().elapsed(), 10ms);
}

TEST_P(GatherLimit, OfZeroIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks = countdown(2);
    EXPECT_THROW(co_await gather(limit{0}, tasks), usage_error);
  });
}

TEST_P(GatherLimit, TakesAnElementOnlyWhenItsTurnComes) {
  std::atomic<int> made{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto make = [&made](int i) {
      made.fetch_add(1);
      return give_after(1ms, i);
    };
    const auto look = [&made]() -> task<int> {
      co_await sleep_for(1500us);
      co_return made.load();
    };
    auto tasks = std::views::iota(0, 6) | std::views::transform(make);
    auto [all, seen] = co_await gather(gather(limit{2}, tasks), look());
    EXPECT_THAT(all, ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_EQ(seen, 4);
  });
}

TEST_P(GatherLimit, AFailureKeepsTheOthersFromStarting) {
  std::atomic<int> runs{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(fail_after(1ms, "first"));
    for (int i = 0; i != 5; ++i) {
      tasks.push_back(count_run(runs));
    }
    EXPECT_THROW(co_await gather(limit{1}, tasks), std::runtime_error);
    EXPECT_EQ(runs.load(), 0);
  });
}

TEST_P(GatherLimit, AStopKeepsTheOthersFromStarting) {
  std::atomic<int> runs{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 1ms}, [&]() -> task<> {
      std::vector<task<int>> tasks;
      tasks.push_back(give_after(1h, 1));
      tasks.push_back(count_run(runs));
      co_await gather(limit{1}, tasks);
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(runs.load(), 0);
  });
}

}  // namespace
}  // namespace coppice
