// Limits on how many tasks live: who is refused is told so, and has lost nothing.
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/supervisor.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/environment.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::environment_guard;
using testing_support::number;
using testing_support::sleeper;

class Backpressure : public testing_support::tree_test {
 protected:
  static test_options at_most(std::size_t tasks) {
    return {.workers = GetParam(), .settings = {.max_tasks = tasks}};
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, Backpressure, testing::Values(1u, 2u, 4u));

// Takes what it is given away only if it runs.
struct owner {
  std::unique_ptr<int> value = std::make_unique<int>(7);
  int operator()() { return *std::exchange(value, nullptr); }
};

// Whatever keeps tasks, and is full.
template <class Keeper>
void expect_refusals(Keeper& full) {
  EXPECT_THROW(full.spawn(sleeper(1s)), resource_exhausted);
  task<int> mine = number(3);
  EXPECT_THROW(full.spawn(std::move(mine)), resource_exhausted);
  EXPECT_TRUE(mine) << "still the caller's";
  EXPECT_FALSE(full.try_spawn(std::move(mine)));
  EXPECT_TRUE(mine);
  owner callable;
  EXPECT_FALSE(full.try_spawn(std::move(callable)));
  EXPECT_NE(callable.value, nullptr);
  auto argument = std::make_unique<int>(4);
  const auto takes = [](std::unique_ptr<int> given) { return *given; };
  EXPECT_FALSE(full.try_spawn(takes, std::move(argument)));
  EXPECT_NE(argument, nullptr);
  EXPECT_THROW(full.spawn({.name = "named"}, takes, std::move(argument)), resource_exhausted);
}

TEST_P(Backpressure, ARuntimeRefusesMoreTasksThanItsLimit) {
  test_runtime rt(at_most(3));
  std::vector<task_handle<>> alive;
  for (int i = 0; i != 3; ++i) {
    alive.push_back(rt.spawn(sleeper(1h)));
  }
  expect_refusals(rt);
  EXPECT_EQ(rt.all_tasks().size(), 3u);
  alive[0].cancel();
  rt.run_until_blocked();
  EXPECT_NO_THROW(rt.spawn(sleeper(1h))) << "there is room again";
  EXPECT_THROW(rt.spawn(sleeper(1h)), resource_exhausted);
}

TEST_P(Backpressure, TheLimitComesFromTheEnvironment) {
  const environment_guard environment("COPPICE_MAX_TASKS", "1");
  test_runtime rt(workers());
  const task_handle<> alive = rt.spawn(sleeper(1h));
  expect_refusals(rt);
}

TEST_P(Backpressure, TheRuntimesLimitHoldsForItsGroupsToo) {
  test_runtime rt(at_most(3));
  rt.block_on([]() -> task<> {  // One of them.
    co_await with_group([](task_group& group) -> task<> {
      group.spawn(sleeper(1s));
      group.spawn(sleeper(1s));
      expect_refusals(group);
      co_await sleep_for(2s);
      const task_handle<int> later = group.spawn(number(1));
      EXPECT_EQ(co_await later, 1);
    });
  });
}

TEST_P(Backpressure, WhatHasNoHandleIsNotLimited) {
  test_runtime rt(at_most(1));
  rt.block_on([]() -> task<> {
    const auto [a, b] = co_await gather(number(1), number(2));
    EXPECT_EQ(a + b, 3);
    EXPECT_THROW(spawn(number(1)), resource_exhausted);
  });
}

TEST_P(Backpressure, ASupervisorRefusesMoreChildrenThanItsLimit) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_supervisor({.max_children = 2}, [](supervisor& jobs) -> task<> {
      const task_handle<> first = jobs.spawn(sleeper(1s));
      jobs.spawn(sleeper(1h));
      expect_refusals(jobs);
      EXPECT_EQ(jobs.size(), 2u);
      co_await first;
      co_await yield();
      EXPECT_NO_THROW(jobs.spawn(sleeper(1h)));
      scope_handle handle = jobs.handle();
      expect_refusals(handle);
      co_await jobs.shutdown();
    });
  });
}

TEST_P(Backpressure, ARefusalFailsNobody) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group({.max_children = 1}, [](task_group& group) -> task<> {
      const task_handle<int> child = group.spawn([]() -> task<int> {
        co_await sleep_for(1s);
        co_return 5;
      });
      expect_refusals(group);
      EXPECT_FALSE(group.cancelled());
      EXPECT_EQ(co_await child, 5);
    });
  });
}

// Who is admitted ends, who is refused is refused, and there are never more than the limit.
TEST_P(Backpressure, HoldsAgainstThreadsThatSpawnAtOnce) {
  constexpr int limit = 4;
  std::atomic<int> alive{0};
  std::atomic<int> most{0};
  std::atomic<int> ran{0};
  std::atomic<int> admitted{0};
  std::atomic<int> refused{0};
  {
    runtime rt({.threads = GetParam(), .max_tasks = limit});
    const auto body = [&] {
      const int now_alive = ++alive;
      int before = most.load();
      while (before < now_alive && !most.compare_exchange_weak(before, now_alive)) {
      }
      ++ran;
      --alive;
    };
    std::vector<std::jthread> threads;
    for (int t = 0; t != 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i != 500; ++i) {
          ++(rt.try_spawn(std::ref(body)) ? admitted : refused);
        }
      });
    }
    threads.clear();
    rt.shutdown({.drain = forever});
  }
  EXPECT_EQ(admitted + refused, 1'500);
  EXPECT_EQ(ran, admitted);
  EXPECT_LE(most, limit);
}

}  // namespace
}  // namespace coppice
